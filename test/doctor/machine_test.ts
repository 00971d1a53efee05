import { suite } from "uvu";
import * as assert from "uvu/assert";
import { examineKernel, examinePrivileges, examineRuntime } from "../../src/doctor/machine.ts";

const machine = suite("doctor/machine");

machine("a kernel is too old before 5.4, and has no passthrough before 6.9", () => {
  const verdict = (system: string, version: string) => examineKernel(system, version).verdict;
  assert.is(verdict("Linux", "4.19.0-27-amd64"), "fault");
  assert.is(verdict("Linux", "5.3.18"), "fault");
  assert.is(verdict("Linux", "5.4.0-150-generic"), "advice");
  assert.is(verdict("Linux", "6.8.12"), "advice");
  assert.is(verdict("Linux", "6.9.0-rc1"), "ok");
  assert.is(verdict("Linux", "6.18.44"), "ok");
  assert.is(verdict("Linux", "10.0.1"), "ok");
  assert.is(verdict("Darwin", "24.1.0"), "fault");
});

machine("a Node is too old before 20.19", () => {
  const verdict = (node: string) => examineRuntime({ node, v8: "11.3.244.8-node.38" }).verdict;
  assert.equal(["18.20.8", "20.18.3"].map(verdict), ["fault", "fault"]);
  assert.equal(["20.19.0", "21.0.0", "26.10.0"].map(verdict), ["ok", "ok", "ok"]);
  const deno = examineRuntime({ node: "26.3.0", v8: "15.0.245.2-rusty", deno: "2.9.5" });
  assert.equal([deno.name, deno.detail], ["Deno", "2.9.5, V8 15.0.245.2-rusty"]);
});

machine("who may mount is root with CAP_SYS_ADMIN", () => {
  const status = (uid: number, capabilities: string) =>
    `Name:\tnode\nUid:\t0\t${uid}\t0\t0\nCapPrm:\t000001ffffffffff\nCapEff:\t${capabilities}\n`;
  assert.is(examinePrivileges(status(0, "000001fffeffffff")).verdict, "ok");
  const user = examinePrivileges(status(1000, "0000000000000000"));
  assert.equal([user.verdict, user.remedy], ["fault", "sudo kcovfs doctor"]);
  // The capabilities that Docker gives to root.
  const inContainer = examinePrivileges(status(0, "00000000a80425fb"));
  assert.is(inContainer.verdict, "fault");
  assert.match(inContainer.detail, /CAP_SYS_ADMIN/);
});

machine.run();
