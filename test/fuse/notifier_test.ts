import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Notifier } from "../../src/fuse/mod.ts";
import { turn } from "./fake_kernel.ts";
import { join, toHex } from "./hex.ts";
import { nodeId } from "../../src/fuse/ids.ts";

const notifier = suite("fuse/notifier");

/** A kernel that finishes notifications when it is told to, in any order. */
function slowKernel(concurrency: number) {
  const sent: {
    bytes: string;
    finish: (errno: number) => void;
    fail: (error: Error) => void;
  }[] = [];
  const subject = new Notifier(
    (bytes) => new Promise((finish, fail) => sent.push({ bytes: toHex(bytes), finish, fail })),
    {
      concurrency,
    },
  );
  return { subject, sent };
}

async function sentBytes(notify: (subject: Notifier) => Promise<number>): Promise<string> {
  const { subject, sent } = slowKernel(1);
  const done = notify(subject);
  sent[0].finish(0);
  assert.is(await done, 0);
  return sent[0].bytes;
}

notifier("INVAL_INODE is laid out as in the header", async () => {
  const bytes = await sentBytes((subject) =>
    subject.invalInode(nodeId(9), { offset: 4096, length: 8192 })
  );
  assert.is(
    bytes,
    join("28000000 02000000 0000000000000000 0900000000000000 0010000000000000 0020000000000000"),
  );
});

notifier(
  "INVAL_ENTRY is laid out as in the header: the name's length does not count its NUL",
  async () => {
    const bytes = await sentBytes((subject) => subject.invalEntry(1, "kcové"));
    assert.is(
      bytes,
      join("27000000 03000000 0000000000000000 0100000000000000 06000000 00000000 6b636f76c3a900"),
    );
  },
);

notifier("STORE is laid out as in the header", async () => {
  const bytes = await sentBytes((subject) =>
    subject.store(nodeId(9), 0x1_0000_0000, Uint8Array.of(1, 2, 3))
  );
  assert.is(
    bytes,
    join(
      "2b000000 04000000 0000000000000000 0900000000000000 0000000001000000 03000000 00000000 010203",
    ),
  );
});

notifier("a large STORE is sent whole", async () => {
  const data = new Uint8Array(300_000).map((_, i) => i % 251);
  const bytes = await sentBytes((subject) => subject.store(nodeId(9), 0, data));
  assert.is(bytes.slice(80), toHex(data));
});

notifier("the kernel's errno is the result", async () => {
  const { subject, sent } = slowKernel(1);
  const done = subject.invalInode(nodeId(9), { offset: 0, length: 0 });
  sent[0].finish(2);
  assert.is(await done, 2);
});

notifier("what is stored is what the data was when it was asked for", async () => {
  const { subject, sent } = slowKernel(1);
  const data = Uint8Array.of(1);
  subject.store(nodeId(9), 0, data);
  subject.store(nodeId(9), 0, data);
  data[0] = 7;
  sent[0].finish(0);
  await turn();
  assert.equal(sent.map(({ bytes }) => bytes.slice(-2)), ["01", "01"]);
});

notifier("no more are under way than may be, and the others follow in order", async () => {
  const { subject, sent } = slowKernel(2);
  const finished: number[] = [];
  for (let nodeid = 1; nodeid <= 6; nodeid++) {
    subject.invalInode(nodeId(nodeid), { offset: 0, length: 0 }).then(() => finished.push(nodeid));
  }
  const nodes = () => sent.map(({ bytes }) => parseInt(bytes.slice(32, 34), 16));
  assert.equal(nodes(), [1, 2]);
  sent[1].finish(0);
  await turn();
  assert.equal(nodes(), [1, 2, 3]);
  sent[2].finish(0);
  sent[0].finish(0);
  await turn();
  assert.equal(nodes(), [1, 2, 3, 4, 5]);
  for (const { finish } of sent) finish(0);
  await turn();
  for (const { finish } of sent) finish(0);
  await turn();
  assert.equal(nodes(), [1, 2, 3, 4, 5, 6]);
  assert.equal(finished, [2, 3, 1, 4, 5, 6]);
});

notifier("a place is free again once its notification is done or has failed", async () => {
  const { subject, sent } = slowKernel(1);
  const failing = subject.invalInode(nodeId(1), { offset: 0, length: 0 });
  sent[0].fail(new Error("broken"));
  await failing.then(() => assert.unreachable(), (error) => assert.is(error.message, "broken"));
  subject.invalInode(nodeId(2), { offset: 0, length: 0 });
  assert.is(sent.length, 2, "at once");
  subject.invalInode(nodeId(3), { offset: 0, length: 0 });
  assert.is(sent.length, 2, "not before the one before it is done");
  sent[1].finish(0);
  await turn();
  assert.is(sent.length, 3);
});

notifier.run();
