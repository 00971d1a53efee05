/** `kcovfs doctor` on this machine, and on this machine made to look like others. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { examineMounts, examineStopped } from "../../src/doctor/leftovers.ts";
import type { Finding } from "../../src/doctor/mod.ts";
import { tryRoundTrip } from "../../src/doctor/round_trip.ts";
import { until } from "../until.ts";
import { execute, finish, KCOVFS, Scene } from "./harness.ts";

const doctor = suite("doctor");

const TYPE = "fuse.kcovfs";

/** The finding for one thing. */
function find(stdout: string, name: string): Finding {
  const findings: Finding[] = JSON.parse(stdout);
  return findings.find((finding) => finding.name === name)!;
}

doctor("a machine that lacks nothing is told so, and what a client reads there", async () => {
  const { status, stdout, stderr } = await execute([KCOVFS, "doctor"]);
  assert.is(status, 0, stdout + stderr);
  for (const name of ["kernel", "/dev/fuse", "privileges", "programs", "Node", "system calls"]) {
    assert.match(stdout, new RegExp(`^(?:ok|advice) +${name} `, "m"));
  }
  for (const collector of ["v8", "trace"]) {
    assert.match(
      stdout,
      new RegExp(`^ok +round trip, ${collector} +\\d+ blocks .* to target\\.cjs:2\\.`, "m"),
    );
  }
});

doctor("who is not root is told to be, whoever may open the device", async () => {
  for (
    const [mode, said] of [["600", "is there; only root may open it"], ["666", "can be opened"]]
  ) {
    const script = `mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 &&
      mknod -m "$1" /dev/fuse c 10 229 &&
      exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" doctor --json`;
    const command = ["unshare", "--mount", "sh", "-c", script, KCOVFS, mode];
    const { status, stdout } = await execute(command);
    assert.is(status, 1);
    assert.is(find(stdout, "privileges").remedy, "sudo kcovfs doctor");
    const device = find(stdout, "/dev/fuse");
    assert.equal([device.verdict, device.detail], ["ok", said]);
    const { verdict, detail } = find(stdout, "round trip, v8");
    assert.equal([verdict, detail], ["skipped", "for want of privileges"]);
  }
});

doctor("a machine without /dev/fuse is told how to have it", async () => {
  const script =
    'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec "$0" doctor --json';
  const { status, stdout } = await execute(["unshare", "--mount", "sh", "-c", script, KCOVFS]);
  assert.is(status, 1);
  const { verdict, remedy } = find(stdout, "/dev/fuse");
  assert.is(verdict, "fault");
  assert.match(remedy!, /^modprobe fuse/);
});

doctor("a mount whose server is dead is told, with the command that removes it", async () => {
  await using scene = new Scene();
  const server = await scene.serve();
  assert.ok((await examineMounts(TYPE)).answering.includes(scene.mount));
  const [watchdog] = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8")
    .split(" ").map(Number);
  process.kill(watchdog, "SIGKILL");
  server.kill("SIGKILL");
  await finish(server);
  const { findings, answering } = await examineMounts(TYPE);
  assert.not(answering.includes(scene.mount));
  const finding = findings.find(({ detail }) => detail.startsWith(scene.mount))!;
  assert.is(finding.detail, `${scene.mount}: its server is dead`);
  const [, ...args] = finding.remedy!.split(" ");
  assert.is((await execute([KCOVFS, ...args])).status, 0);
  assert.not(await scene.isMounted());
});

doctor(
  "a target that somebody has stopped is told, with the command that lets it go on",
  async () => {
    await using scene = new Scene();
    await scene.serve();
    const { pid } = await scene.service("paths");
    const [{ pid: target }] = await scene.targets();
    const isTold = () => examineStopped([]).some(({ remedy }) => remedy === `kill -CONT ${target}`);
    assert.not(isTold());
    process.kill(target, "SIGSTOP");
    try {
      // Its threads stop a little later.
      await until(isTold, `target ${target} of ${pid}`);
    } finally {
      process.kill(target, "SIGCONT");
    }
  },
);

doctor("a client that hangs is told, and killed", async () => {
  await using scene = new Scene();
  const client = join(scene.folder, "client.mjs");
  writeFileSync(client, "setInterval(() => {}, 60_000);");
  const { verdict, detail } = await tryRoundTrip("v8", { client, timeout: 2000 });
  assert.equal([verdict, detail], ["fault", "no answer within 2 s"]);
  await until(async () => (await execute(["pgrep", "--full", client])).status !== 0, "it is gone");
});

doctor("a client that reads what it must not is told by its own words", async () => {
  await using scene = new Scene();
  const client = join(scene.folder, "client.mjs");
  writeFileSync(client, 'console.error("two requests read the same"); process.exitCode = 1;');
  const { verdict, detail } = await tryRoundTrip("v8", { client });
  assert.equal([verdict, detail], ["fault", "two requests read the same"]);
});

doctor.run();
