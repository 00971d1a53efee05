import { suite } from "uvu";
import * as assert from "uvu/assert";
import { serveDescriptor, type Tap } from "../../src/fuse/mod.ts";
import { tapNotifications } from "../../src/fuse/tap.ts";
import { until } from "../until.ts";
import { FakeDevice } from "./fake_device.ts";
import { fromHex, toHex } from "./hex.ts";
import { EXCHANGES } from "./messages.ts";
import { nodeId } from "../../src/fuse/ids.ts";

const tap = suite("fuse/tap");

const request = (name: string) =>
  fromHex(EXCHANGES.find((exchange) => exchange.name === name)!.request);

/** Keeps the messages that pass. */
function keep(): { lines: string[]; tap: Tap } {
  const lines: string[] = [];
  return {
    lines,
    tap: {
      request: (bytes) => lines.push(`rx ${toHex(bytes)}`),
      reply: (bytes) => lines.push(`tx ${toHex(bytes)}`),
      notification: (serial, bytes) => lines.push(`nt ${serial} ${bytes.length}`),
      notified: (serial, errno) => lines.push(`ok ${serial} ${errno}`),
    },
  };
}

tap(
  "every message of a connection is seen, in both directions, and each notification twice",
  async () => {
    using device = new FakeDevice();
    const kept = keep();
    const { notifier } = serveDescriptor(device.fd, { access() {} }, { tap: kept.tap });
    const replies: string[] = [];
    for (const name of ["INIT", "ACCESS"]) {
      device.send(request(name));
      replies.push(toHex(await device.receive()));
    }
    await notifier.invalInode(nodeId(9), { offset: 0, length: 0 });
    await device.receive();
    await until(() => kept.lines.length === 6);
    assert.equal(kept.lines, [
      `rx ${toHex(request("INIT"))}`,
      `tx ${replies[0]}`,
      `rx ${toHex(request("ACCESS"))}`,
      `tx ${replies[1]}`,
      "nt 1 40",
      "ok 1 0",
    ]);
  },
);

tap("the kernel's refusal of a notification is seen, and told to who sent it", async () => {
  const kept = keep();
  const send = tapNotifications(() => Promise.resolve(2), { tap: kept.tap });
  assert.is(await send(new Uint8Array(40)), 2);
  assert.equal(kept.lines, ["nt 1 40", "ok 1 2"]);
});

tap("without log and tap notifications are sent as they were", () => {
  const send = () => Promise.resolve(0);
  assert.is(tapNotifications(send, {}), send);
});

tap.run();
