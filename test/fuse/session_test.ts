import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, type Filesystem } from "../../src/fuse/mod.ts";
import type { Request } from "../../src/fuse/operations.ts";
import { EAGAIN, EIO, ENOENT, ENOSYS, failed, FakeKernel, numbered, turn } from "./fake_kernel.ts";
import { join } from "./hex.ts";
import { type Exchange, EXCHANGES, OPERATIONS } from "./messages.ts";
import { fileHandle } from "../../src/fuse/ids.ts";

const session = suite("fuse/session");

const getattr = (unique: number) => numbered("GETATTR", unique);
const read = (unique: number) => numbered("READ", unique);

for (const exchange of OPERATIONS) {
  session(`${exchange.name} is read and answered as the kernel's header lays it out`, () => {
    const { kernel, calls } = recording(exchange);
    kernel.send(exchange.request);
    assert.equal(kernel.take(), [join(exchange.reply!)]);
    assert.is(calls.length, 1);
    assert.equal(calls[0].input, exchange.input);
    const { unique, nodeid, uid, gid, pid } = calls[0].request;
    assert.equal([unique, nodeid, uid, gid, pid], [2, 7, 1000, 1001, 1234]);
    assert.equal(kernel.warnings, []);
  });
}

function recording(exchange: Exchange) {
  const calls: { request: Request; input: unknown }[] = [];
  const kernel = FakeKernel.started({
    [exchange.method!]: (request: Request, input: unknown) => {
      calls.push({ request, input: structuredClone(input) });
      return exchange.output;
    },
  } as Filesystem);
  return { kernel, calls };
}

session("what stands behind an opened file is in the answer's last four bytes", () => {
  const kernel = FakeKernel.started({
    open: () => ({ fh: fileHandle(1), open_flags: 0x81, backing_id: 0x12345678 }),
  });
  kernel.send(numbered("OPEN", 2));
  assert.equal(kernel.take(), [
    join("20000000 00000000 0200000000000000 0100000000000000 81000000 78563412"),
  ]);
});

session("the session answers INIT, DESTROY and INTERRUPT by itself", () => {
  for (const name of ["INIT", "DESTROY", "INTERRUPT"]) {
    const { request, reply } = EXCHANGES.find((exchange) => exchange.name === name)!;
    const kernel = name === "INIT" ? new FakeKernel({}) : FakeKernel.started({});
    kernel.send(request);
    assert.equal(kernel.take(), [join(reply!)], name);
  }
});

session("DESTROY reaches the filesystem, once, and nothing is served after it", () => {
  let destroyed = 0;
  const kernel = FakeKernel.started({ destroy: () => void destroyed++, statfs: notAsked });
  kernel.send(numbered("DESTROY", 2));
  kernel.take();
  for (const name of ["DESTROY", "INIT", "STATFS"]) {
    kernel.send(numbered(name, 4));
    assert.equal(kernel.take(), [failed(4, EIO)], name);
  }
  assert.equal([destroyed, kernel.warnings], [1, []]);
});

function notAsked(): never {
  throw new Error("it was asked");
}

session("FORGET and BATCH_FORGET reach the filesystem node by node and are never answered", () => {
  const forgotten: number[][] = [];
  const kernel = FakeKernel.started({
    forget: (nodeid, nlookup) => void forgotten.push([nodeid, nlookup]),
  });
  kernel.send(numbered("FORGET", 2));
  kernel.send(numbered("BATCH_FORGET", 3));
  assert.equal(forgotten, [[7, 3], [7, 1], [8, 2]]);
  assert.equal(kernel.take(), []);
  const unheeding = FakeKernel.started({});
  unheeding.send(numbered("FORGET", 2));
  unheeding.send(numbered("BATCH_FORGET", 3));
  assert.equal([unheeding.take(), unheeding.warnings], [[], []]);
});

session("a forget that throws is told of, not answered", () => {
  const kernel = FakeKernel.started({
    forget() {
      throw new Errno("ENOENT");
    },
  });
  kernel.send(numbered("FORGET", 2));
  kernel.send(numbered("BATCH_FORGET", 3));
  assert.equal(kernel.take(), []);
  assert.is(kernel.warnings.length, 2);
  assert.match(kernel.warnings[0], /^Cannot take in FORGET 2: .*ENOENT/);
});

session("an opcode that is not served is answered with ENOSYS, however long its message", () => {
  // SYMLINK to RENAME, xattrs, locks, CREATE, BMAP, POLL, ... SYNCFS, and a future one.
  const others = [6, 8, 9, 10, 11, 12, 13, 21, 22, 23, 24, 31, 32, 33, 35, 37, 40, 43];
  const kernel = FakeKernel.started({});
  for (const opcode of [...others, 45, 46, 47, 48, 49, 50, 51, 99, 0]) {
    const bytes = numbered("READ", 4);
    kernel.send(`${bytes.slice(0, 8)}${opcode.toString(16).padStart(2, "0")}${bytes.slice(10)}`);
    assert.equal(kernel.take(), [failed(4, ENOSYS)], `opcode ${opcode}`);
  }
  assert.equal(kernel.warnings, []);
});

session("what the kernel sends in answer to a notification is not answered", () => {
  const kernel = FakeKernel.started({});
  const bytes = numbered("READ", 4);
  kernel.send(`${bytes.slice(0, 8)}29${bytes.slice(10)}`);
  assert.equal([kernel.take(), kernel.warnings], [[], []]);
});

session("what throws when it was answered is told of, and not answered again", () => {
  const kernel = new FakeKernel({
    init() {
      throw new Error("too late");
    },
  });
  const { request, reply } = EXCHANGES.find(({ name }) => name === "INIT")!;
  kernel.send(request);
  assert.equal(kernel.take(), [join(reply!)]);
  assert.is(kernel.warnings.length, 1);
  assert.match(kernel.warnings[0], /^Cannot answer request 2: Error: too late/);
});

session("of two requests under one number the later can be interrupted, too", async () => {
  const signals: AbortSignal[] = [];
  const ends: (() => void)[] = [];
  const kernel = FakeKernel.started({
    access: ({ signal }) => {
      signals.push(signal);
      return new Promise<void>((resolve) => ends.push(resolve));
    },
  });
  kernel.send(numbered("ACCESS", 6));
  kernel.send(numbered("ACCESS", 6));
  ends[0]();
  await turn();
  assert.is(kernel.session.pending, 1);
  kernel.send(EXCHANGES.find(({ name }) => name === "INTERRUPT")!.request);
  assert.equal(signals.map(({ aborted }) => aborted), [false, true]);
  ends[1]();
  await turn();
  assert.is(kernel.session.pending, 0);
});

session("an operation without a method is answered with ENOSYS", () => {
  const kernel = FakeKernel.started({});
  for (const { name, request } of OPERATIONS) {
    kernel.send(request);
    assert.equal(kernel.take(), [failed(2, ENOSYS)], name);
  }
});

session("an Errno that a method throws or rejects with is the answer", async () => {
  const kernel = FakeKernel.started({
    getattr() {
      throw new Errno("ENOENT");
    },
    read: () => Promise.reject(new Errno("EAGAIN")),
  });
  kernel.send(getattr(2));
  kernel.send(read(3));
  await turn();
  assert.equal(kernel.take(), [failed(2, ENOENT), failed(3, EAGAIN)]);
  assert.equal(kernel.warnings, []);
});

session("whatever else a method throws is EIO and told of, with its stack", async () => {
  const kernel = FakeKernel.started({
    getattr() {
      throw new TypeError("x is not a function");
    },
    read: () => Promise.reject(new RangeError("too far")),
    open() {
      throw undefined;
    },
    flush() {
      throw Object.create(null);
    },
  });
  [getattr(2), read(3), numbered("OPEN", 4), numbered("FLUSH", 5)].forEach((m) => kernel.send(m));
  await turn();
  assert.equal(kernel.take().sort(), [2, 3, 4, 5].map((unique) => failed(unique, EIO)));
  assert.is(kernel.warnings.length, 4);
  assert.match(
    kernel.warnings[0],
    /^Cannot answer request 2: TypeError: x is not a function\n +at /,
  );
  assert.match(kernel.warnings[1], /^Cannot answer request 4: undefined/);
});

session("a method that answers what cannot be laid out is EIO and told of", async () => {
  const kernel = FakeKernel.started({
    getattr: () => undefined,
    read: () => Promise.resolve(undefined),
  } as unknown as Filesystem);
  kernel.send(getattr(2));
  kernel.send(read(3));
  await turn();
  assert.equal(kernel.take(), [failed(2, EIO), failed(3, EIO)]);
  assert.is(kernel.warnings.length, 2);
});

session("answers come in the order in which the methods have them", async () => {
  const answers = new Map<number, (bytes: Uint8Array) => void>();
  const kernel = FakeKernel.started({
    read: ({ unique }) => new Promise((resolve) => answers.set(unique, resolve)),
    access() {},
  });
  for (const unique of [2, 3, 4]) kernel.send(read(unique));
  kernel.send(numbered("ACCESS", 5));
  answers.get(4)!(Uint8Array.of(4));
  await turn();
  answers.get(2)!(Uint8Array.of(2));
  answers.get(3)!(Uint8Array.of(3));
  await turn();
  const bytes = (unique: string) => join(`11000000 00000000 ${unique}00000000000000 ${unique}`);
  assert.equal(kernel.take(), [
    join("10000000 00000000 0500000000000000"),
    ...["04", "02", "03"].map(bytes),
  ]);
});

session("a long answer does not show through in the short ones after it", () => {
  const kernel = FakeKernel.started({
    read: () => new Uint8Array(200_000).fill(0xaa),
    open: () => ({ fh: fileHandle(0), open_flags: 0 }),
  });
  kernel.send(read(2));
  kernel.send(numbered("OPEN", 3));
  const [long, short] = kernel.take();
  assert.is(long.length, 2 * 200_016);
  assert.is(short, join("20000000 00000000 0300000000000000", "00".repeat(16)));
});

session("a refusal by the transport is answered with EIO, and a second one only told of", () => {
  for (const refusals of [1, 2]) {
    let left = 0;
    const sent: number[] = [];
    const kernel = FakeKernel.started({ access() {} }, {
      reply(bytes) {
        if (left-- > 0) throw new Error("EINVAL: invalid argument, write");
        sent.push(new DataView(bytes.buffer, bytes.byteOffset).getInt32(4, true));
      },
    });
    left = refusals;
    kernel.send(numbered("ACCESS", 2));
    assert.equal(sent, refusals === 1 ? [0, -5] : [0], `${refusals} refusals`);
    assert.is(kernel.warnings.length, refusals);
  }
});

session("a refusal by the transport of what comes late is handled alike", async () => {
  let left = 0;
  const sent: number[] = [];
  const kernel = FakeKernel.started({ access: () => Promise.resolve() }, {
    reply(bytes) {
      if (left-- > 0) throw new Error("EINVAL: invalid argument, write");
      sent.push(new DataView(bytes.buffer, bytes.byteOffset).getInt32(4, true));
    },
  });
  left = 2;
  kernel.send(numbered("ACCESS", 2));
  await turn();
  assert.equal(sent, [0]);
  assert.is(kernel.warnings.length, 2);
});

session.run();
