import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isLoopback, resolveHost } from "../../../src/targets/attach/loopback.ts";

const loopback = suite("targets/loopback");

loopback("the addresses of this machine alone are told from all others", () => {
  for (const address of ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "0:0::1"]) {
    assert.ok(isLoopback(address), address);
  }
  const others = ["0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "fe80::1", "::ffff:10.0.0.1", "::2"];
  for (const address of others) assert.not(isLoopback(address), address);
});

loopback("a host is resolved to what is then connected to", async () => {
  const none = { allowRemote: false };
  assert.equal(await resolveHost("127.0.0.1", none), ["127.0.0.1"]);
  assert.equal(await resolveHost("::1", none), ["::1"]);
  for (const address of await resolveHost("localhost", none)) assert.ok(isLoopback(address));
  assert.equal(await resolveHost("192.0.2.1", { allowRemote: true }), ["192.0.2.1"]);
});

/** The error with which a host is refused. */
async function refusal(host: string): Promise<string> {
  try {
    return `resolved to ${await resolveHost(host, { allowRemote: false })}`;
  } catch (error) {
    return (error as Error).message;
  }
}

loopback("other machines and unknown hosts are refused", async () => {
  for (const host of ["192.0.2.1", "0.0.0.0", "2001:db8::1"]) {
    assert.is(
      await refusal(host),
      `Cannot connect to ${host}: it is not this machine; start the server with --allow-remote`,
    );
  }
  assert.match(await refusal("nobody.invalid"), /^Cannot find nobody\.invalid: E[A-Z_]+$/);
});

loopback.run();
