import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Filesystem } from "../../src/fuse/mod.ts";
import { FakeKernel, turn } from "./fake_kernel.ts";
import { fromHex, join } from "./hex.ts";
import { EXCHANGES, OPERATIONS } from "./messages.ts";

const malformed = suite("fuse/session, malformed messages");

const HEADER = 40;
/** FORGET, INTERRUPT, NOTIFY_REPLY and BATCH_FORGET: a malformed one is reported, not answered. */
const UNANSWERED = [2, 36, 41, 42];
const EIO = join("10000000 fbffffff 0200000000000000");

/** The least bytes of each message; INIT had fewer in older kernels. */
const NEEDED: Record<string, number> = { INIT: HEADER + 16 };

/** A filesystem with all methods, which answer as the exchanges say. */
function whole(isAsync: (unique: number) => boolean = () => false): Filesystem {
  const methods = OPERATIONS.map(({ method, output }) => [
    method!,
    ({ unique }: { unique: number }) => isAsync(unique) ? Promise.resolve(output) : output,
  ]);
  return { ...Object.fromEntries(methods), forget() {}, destroy() {} } as Filesystem;
}

function setLength(message: Uint8Array, length: number): Uint8Array {
  if (message.length >= 4) {
    new DataView(message.buffer, message.byteOffset).setUint32(0, length, true);
  }
  return message;
}

/** A kernel that may next send a message of a name. */
function before(name: string, filesystem = whole()): FakeKernel {
  return name === "INIT" ? new FakeKernel(filesystem) : FakeKernel.started(filesystem);
}

malformed("a message without a whole header is dropped and told of", () => {
  const kernel = FakeKernel.started(whole());
  const message = fromHex(EXCHANGES[0].request);
  for (let length = 0; length < HEADER; length++) {
    kernel.send(setLength(message.slice(0, length), length));
    assert.equal(kernel.take(), []);
    assert.equal(kernel.warnings.splice(0).length, 1);
  }
});

for (const { name, request } of EXCHANGES) {
  const message = fromHex(request);
  const isAnswered = !UNANSWERED.includes(message[4]);

  malformed(
    `a ${name} that is cut short anywhere is EIO or dropped, and told of`,
    () => {
      for (
        let length = HEADER;
        length < (NEEDED[name] ?? message.length);
        length++
      ) {
        const kernel = before(name);
        kernel.send(setLength(message.slice(0, length), length));
        assert.equal(kernel.take(), isAnswered ? [EIO] : [], `${length} bytes`);
        assert.is(kernel.warnings.length, 1, `${length} bytes`);
        assert.match(kernel.warnings[0], `Cannot read ${name} 2 of ${length} bytes: `);
      }
    },
  );

  malformed(
    `a ${name} whose header gives another length is EIO or dropped, and told of`,
    () => {
      for (let length = HEADER; length <= message.length + 1; length++) {
        const kernel = FakeKernel.started(whole());
        const bytes = new Uint8Array(length);
        bytes.set(message.subarray(0, length));
        if (length === message.length) setLength(bytes, length - 1);
        kernel.send(bytes);
        assert.equal(kernel.take(), isAnswered ? [EIO] : [], `${length} bytes`);
        assert.is(kernel.warnings.length, 1, `${length} bytes`);
      }
    },
  );
}

malformed("what follows a message's structures is no fault: later kernels send more", () => {
  for (const { name, request, reply } of EXCHANGES) {
    const filesystem = whole();
    // INIT's answer says whether the filesystem has this method.
    if (name === "INIT") delete filesystem.readdirplus;
    const kernel = before(name, filesystem);
    const message = fromHex(request, "00".repeat(24));
    kernel.send(setLength(message, message.length));
    assert.equal(kernel.take(), reply === undefined ? [] : [join(reply)], name);
    assert.equal(kernel.warnings, [], name);
  }
});

malformed("a BATCH_FORGET that claims more nodes than it has takes no memory for them", () => {
  const forgotten: number[] = [];
  const kernel = FakeKernel.started({ forget: (nodeid) => void forgotten.push(nodeid) });
  const message = fromHex(EXCHANGES.find(({ name }) => name === "BATCH_FORGET")!.request);
  const before = process.memoryUsage();
  for (const count of [3, 0x00ffffff, 0xffffffff]) {
    new DataView(message.buffer).setUint32(HEADER, count, true);
    kernel.send(message);
  }
  const { heapTotal, external } = process.memoryUsage();
  assert.ok(heapTotal + external - before.heapTotal - before.external < 50_000_000);
  assert.equal([forgotten, kernel.take()], [[], []]);
  assert.is(kernel.warnings.length, 3);
});

malformed("numbers of 2^53 and more, which none of ours is, are EINVAL and not told of", () => {
  const kernel = FakeKernel.started(whole());
  const send = (name: string, at: number) => {
    const message = fromHex(EXCHANGES.find((exchange) => exchange.name === name)!.request);
    new DataView(message.buffer).setBigUint64(at, 2n ** 53n, true);
    kernel.send(message);
    return kernel.take();
  };
  const refused = [join("10000000 eaffffff 0200000000000000")];
  assert.equal(send("READ", HEADER), refused, "a file handle");
  assert.equal(send("READ", HEADER + 8), refused, "an offset");
  assert.equal(send("READ", 16), refused, "a node");
  assert.equal(send("READ", 8), [join("10000000 eaffffff 0000000000002000")], "the number");
  for (const name of ["FORGET", "INTERRUPT", "BATCH_FORGET"]) {
    for (const at of [8, 16]) assert.equal(send(name, at), [], name);
  }
  assert.equal(kernel.warnings, []);
});

/** `mulberry32`: numbers from 0 to `below` - 1, the same for the same seed. */
function generator(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * below);
  };
}

/** Some bytes changed, the end cut off or drawn out; mostly with a header that agrees. */
function mutate(message: Uint8Array, random: (below: number) => number): Uint8Array {
  const length = random(3) > 0 ? message.length : random(message.length + 16);
  const mutant = new Uint8Array(length);
  mutant.set(message.subarray(0, length));
  for (let i = random(4); i > 0 && length > 0; i--) {
    mutant[random(length)] = [0, 1, 0x7f, 0x80, 0xff, random(256)][random(6)];
  }
  return random(4) > 0 ? setLength(mutant, length) : mutant;
}

/** The number of answers that are due: 0 or 1, or either where only reading the whole message would tell. */
function due(message: Uint8Array): readonly number[] {
  if (message.length < HEADER) return [0];
  const opcode = new DataView(message.buffer).getUint32(4, true);
  // An INTERRUPT that can be read is answered EAGAIN, or not at all if its request is in flight.
  if (opcode === 36) return [0, 1];
  return UNANSWERED.includes(opcode) ? [0] : [1];
}

malformed("20,000 mutated messages never make it throw, and each has its one answer", async () => {
  const random = generator(20260101);
  const messages = EXCHANGES.map(({ request }) => fromHex(request));
  const kernel = FakeKernel.started(whole((unique) => unique % 3 === 0));
  const opcodes = new Set<number>();
  for (let i = 0; i < 20_000; i++) {
    const mutant = mutate(messages[random(messages.length)], random);
    kernel.send(mutant);
    await Promise.resolve();
    const replies = kernel.take();
    if (replies.length === 0 && due(mutant).includes(1)) {
      await turn();
      replies.push(...kernel.take());
    }
    const context = `message ${i}: ${Buffer.from(mutant).toString("hex")}`;
    assert.ok(due(mutant).includes(replies.length), `${replies.length} answers to ${context}`);
    for (const reply of replies) {
      const bytes = fromHex(reply);
      assert.is(new DataView(bytes.buffer).getUint32(0, true), bytes.length, context);
      assert.equal(bytes.slice(8, 16), mutant.slice(8, 16), context);
      if (bytes.length > 16) opcodes.add(mutant[4]);
    }
  }
  assert.ok(opcodes.size >= 10, "mutants get through to the methods, too");
});

malformed.run();
