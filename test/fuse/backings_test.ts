import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  Backings,
  type Connection,
  type DeviceIoctl,
  serveDescriptor,
} from "../../src/fuse/mod.ts";
import { FakeDevice } from "./fake_device.ts";
import { fromHex, join, toHex } from "./hex.ts";

const backings = suite("fuse/backings");

function recording(result: number | Error) {
  const calls: { request: number; argument: string }[] = [];
  const call = ({ request, argument }: DeviceIoctl) => {
    calls.push({ request, argument: toHex(argument) });
    if (result instanceof Error) throw result;
    return result;
  };
  return { call, calls };
}

backings("an open file is made known by its descriptor, an id given back by its number", () => {
  const { call, calls } = recording(5);
  const files = new Backings(call, { hasEnded: () => false });
  assert.is(files.open(23), 5);
  files.close(5);
  assert.equal(calls, [
    { request: 0x4010e501, argument: join("17000000 00000000 0000000000000000") },
    { request: 0x4004e502, argument: join("05000000") },
  ]);
});

backings("what the kernel refuses is thrown on", () => {
  const refusal = Object.assign(new Error("Cannot call it: EPERM"), { code: "EPERM" });
  const files = new Backings(recording(refusal).call, { hasEnded: () => false });
  assert.throws(() => files.open(23), (error: Error) => error === refusal);
  assert.throws(() => files.close(1), (error: Error) => error === refusal);
});

backings(
  "once the connection has ended its descriptor, which may be another's, is not used",
  () => {
    const { call, calls } = recording(5);
    const files = new Backings(call, { hasEnded: () => true });
    assert.throws(() => files.open(23), (error: NodeJS.ErrnoException) => error.code === "ENODEV");
    files.close(5);
    assert.equal(calls, []);
  },
);

/** An INIT that offers passthrough. */
const OFFER = fromHex(
  "68000000 1a000000 0100000000000000 0000000000000000 00000000 00000000 00000000 0000 0000" +
    `07000000 2d000000 00001000 00000040 20000000 ${"00".repeat(44)}`,
);

async function started(options: Parameters<typeof serveDescriptor>[2]) {
  const device = new FakeDevice();
  const connection: Connection = serveDescriptor(device.fd, {}, options);
  assert.is(connection.backings, undefined);
  device.send(OFFER);
  await device.receive();
  return { device, connection };
}

backings("a connection has them from INIT on, on its own descriptor", async () => {
  const fds: number[] = [];
  const { device, connection } = await started({
    ioctl: (fd) => {
      fds.push(fd);
      return 1;
    },
  });
  assert.is(connection.backings!.open(9), 1);
  assert.equal(fds, [device.fd]);
  device[Symbol.dispose]();
  await connection.ended;
  assert.throws(() => connection.backings!.open(9), /the connection has ended/);
});

backings("a connection without an ioctl has none, whatever the kernel offers", async () => {
  const { device, connection } = await started({});
  assert.is(connection.backings, undefined);
  device[Symbol.dispose]();
  await connection.ended;
});

backings.run();
