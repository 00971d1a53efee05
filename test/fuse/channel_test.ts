import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Channel } from "../../src/fuse/channel.ts";
import { until } from "../until.ts";
import { FakeDevice, isOpen } from "./fake_device.ts";
import { turn } from "./fake_kernel.ts";
import { fromHex, toHex } from "./hex.ts";

const channel = suite("fuse/channel");

const EPIPE = 32;
const ENODEV = 19;

function open(device: FakeDevice, receive: (message: Uint8Array, subject: Channel) => void) {
  const ends: (Error | undefined)[] = [];
  const subject: Channel = new Channel(device.fd, {
    messageSize: 8192,
    receive: (message) => receive(message, subject),
    ended: (error) => ends.push(error),
  });
  return { subject, ends };
}

channel("messages come one at a time, whole and in the kernel's order", async () => {
  using device = new FakeDevice();
  const messages: string[] = [];
  open(device, (message) => messages.push(`${message[0]} ${message.length}`));
  const sizes = [1, 8192, 40, 4096, 1, 1];
  sizes.forEach((size, i) => device.send(new Uint8Array(size).fill(i)));
  await until(() => messages.length === sizes.length);
  assert.equal(messages, sizes.map((size, i) => `${i} ${size}`));
});

channel("the next message waits while one is handled, and does not overwrite it", async () => {
  using device = new FakeDevice();
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const seen: string[] = [];
  open(device, (message) => {
    const before = toHex(message);
    if (message[0] === 1) device.send(fromHex("02020202"));
    Atomics.wait(cell, 0, 0, 20);
    seen.push(before, toHex(message));
  });
  device.send(fromHex("01010101"));
  await until(() => seen.length === 4);
  assert.equal(seen, ["01010101", "01010101", "02020202", "02020202"]);
});

channel("`reads` tells, while a message is handled, which read brought it", async () => {
  using device = new FakeDevice();
  const numbers: number[] = [];
  const { subject } = open(device, (_, subject) => numbers.push(subject.reads));
  assert.is(subject.reads, 1);
  for (let i = 0; i < 3; i++) {
    device.send(Uint8Array.of(i));
  }
  await until(() => numbers.length === 3);
  assert.equal(numbers, [1, 2, 3]);
  assert.is(subject.reads, 4);
});

channel("replies are written at once", async () => {
  using device = new FakeDevice();
  const { subject } = open(device, () => {});
  const bytes = fromHex("10000000");
  subject.reply(bytes);
  bytes.fill(0);
  assert.is(toHex(await device.receive()), "10000000");
});

channel("a reply that the kernel refuses throws", () => {
  using device = new FakeDevice();
  const { subject } = open(device, () => {});
  device.refuseWrites();
  assert.throws(
    () => subject.reply(Uint8Array.of(1)),
    (error: NodeJS.ErrnoException) => error.code === "EPIPE",
  );
});

channel("a notification resolves to 0, or to the errno with which it was refused", async () => {
  using device = new FakeDevice();
  const { subject } = open(device, () => {});
  assert.is(await subject.notify(fromHex("aabb")), 0);
  assert.is(toHex(await device.receive()), "aabb");
  device.refuseWrites();
  assert.is(await subject.notify(fromHex("aabb")), EPIPE);
});

channel("the end of the connection is told of once; what comes after goes nowhere", async () => {
  using device = new FakeDevice();
  const { subject, ends } = open(device, () => {});
  assert.not(subject.ended);
  device[Symbol.dispose]();
  await until(() => ends.length > 0);
  assert.ok(subject.ended);
  subject.reply(Uint8Array.of(1));
  assert.is(await subject.notify(Uint8Array.of(1)), ENODEV);
  await until(() => !isOpen(device.fd));
  await turn();
  assert.equal(ends, [undefined]);
});

channel("a connection that breaks ends with the reason", async () => {
  using device = new FakeDevice();
  const { subject, ends } = open(device, () => {});
  // A socket that is closed before everything was read from it resets the connection.
  subject.reply(Uint8Array.of(1));
  device[Symbol.dispose]();
  await until(() => ends.length > 0);
  assert.is((ends[0] as NodeJS.ErrnoException).code, "ECONNRESET");
  await until(() => !isOpen(device.fd));
});

channel(
  "while a notification sleeps in the kernel, messages come and the descriptor is open",
  async () => {
    using device = new FakeDevice();
    let messages = 0;
    const { subject, ends } = open(device, () => messages++);
    const done: (number | undefined)[] = [];
    do {
      const i = done.push(undefined) - 1;
      subject.notify(new Uint8Array(100_000)).then((errno) => done[i] = errno);
      await new Promise((resolve) => setTimeout(resolve, 30));
      // Until the socket is full and the last write sleeps.
    } while (done.at(-1) === 0);
    device.send(Uint8Array.of(1));
    await until(() => messages === 1);
    device.endReads();
    await until(() => ends.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal([done.at(-1), isOpen(device.fd)], [undefined, true]);
    device[Symbol.dispose]();
    await until(() => done.at(-1) !== undefined);
    assert.ok(done.at(-1)! > 0, "the connection went under it");
    await until(() => !isOpen(device.fd));
  },
);

channel.run();
