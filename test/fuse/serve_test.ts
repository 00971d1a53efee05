import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, type Filesystem, type Notifier, serveDescriptor } from "../../src/fuse/mod.ts";
import { until } from "../until.ts";
import { FakeDevice, isOpen } from "./fake_device.ts";
import { fromHex, join, toHex } from "./hex.ts";
import { EXCHANGES } from "./messages.ts";
import { nodeId } from "../../src/fuse/ids.ts";

const serve = suite("fuse/serve");

const request = (name: string) =>
  fromHex(EXCHANGES.find((exchange) => exchange.name === name)!.request);
const reply = (name: string) => join(EXCHANGES.find((exchange) => exchange.name === name)!.reply!);

async function exchange(device: FakeDevice, message: Uint8Array): Promise<string> {
  device.send(message);
  return toHex(await device.receive());
}

serve("a descriptor is served from INIT on", async () => {
  using device = new FakeDevice();
  serveDescriptor(device.fd, {
    access() {},
    lookup() {
      throw new Errno("ENOENT");
    },
  });
  assert.is(await exchange(device, request("INIT")), reply("INIT"));
  assert.is(await exchange(device, request("ACCESS")), reply("ACCESS"));
  assert.is(await exchange(device, request("LOOKUP")), join("10000000 feffffff 0200000000000000"));
});

serve("the largest write that INIT allows arrives whole", async () => {
  using device = new FakeDevice();
  const sizes: number[] = [];
  const filesystem: Filesystem = {
    write(_, { data }) {
      assert.ok(data.every((byte) => byte === 0xaa));
      sizes.push(data.length);
      return { size: data.length };
    },
  };
  serveDescriptor(device.fd, filesystem, { maxWrite: 65536 });
  const init = fromHex(await exchange(device, request("INIT")));
  assert.is(new DataView(init.buffer).getUint32(36, true), 65536);
  const write = new Uint8Array(80 + 65536).fill(0xaa);
  write.set(request("WRITE").subarray(0, 80));
  const view = new DataView(write.buffer);
  view.setUint32(0, write.length, true);
  view.setUint32(56, 65536, true);
  assert.is(
    await exchange(device, write),
    join("18000000 00000000 0200000000000000 00000100 00000000"),
  );
  assert.equal(sizes, [65536]);
});

serve("a filesystem that is made for its connection may notify it", async () => {
  using device = new FakeDevice();
  let notifier: Notifier | undefined;
  const connection = serveDescriptor(device.fd, (connection) => {
    notifier = connection.notifier;
    return { access() {} };
  });
  assert.is(notifier, connection.notifier);
  assert.is(await connection.notifier.invalInode(nodeId(9), { offset: 0, length: 0 }), 0);
  assert.is(
    toHex(await device.receive()),
    join("28000000 02000000 0000000000000000 0900000000000000", "00".repeat(16)),
  );
});

serve("`reads` counts the messages whose reading has begun", async () => {
  using device = new FakeDevice();
  const connection = serveDescriptor(device.fd, {});
  assert.is(connection.reads, 1);
  await exchange(device, request("INIT"));
  await until(() => connection.reads === 2);
});

serve("the end of the connection aborts what is in flight and resolves `ended`", async () => {
  using device = new FakeDevice();
  let signal: AbortSignal | undefined;
  const connection = serveDescriptor(device.fd, {
    read(request) {
      signal = request.signal;
      return new Promise(() => {});
    },
  });
  await exchange(device, request("INIT"));
  device.send(request("READ"));
  await until(() => signal !== undefined);
  assert.not(signal!.aborted);
  device[Symbol.dispose]();
  await connection.ended;
  assert.ok(signal!.aborted);
  await until(() => !isOpen(device.fd));
});

serve("a connection that breaks rejects `ended`", async () => {
  using device = new FakeDevice();
  const connection = serveDescriptor(device.fd, {});
  device.send(request("INIT"));
  await until(() => connection.reads === 2);
  // Its answer to INIT is not read.
  device[Symbol.dispose]();
  await connection.ended.then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, "ECONNRESET"),
  );
});

serve.run();
