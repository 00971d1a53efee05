import * as fs from "node:fs";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SharedFile } from "../../../src/base/shared_file.ts";
import type { Mode } from "../../../src/kcov/mod.ts";
import { SharedFolder } from "../../../src/base/shared_folder.ts";
import { TraceBuffer } from "../../../src/server/trace/buffer.ts";

const buffer = suite("trace_buffer");

const HIGH = 0xffffffff00000000n;

interface Scene {
  readonly file: SharedFile;
  readonly subject: TraceBuffer;
  /** Writes words from the start, as probes do. */
  write(words: readonly bigint[]): void;
}

function scenario(sentence: string, mode: Mode, run: (scene: Scene) => unknown): void {
  buffer(sentence, async () => {
    await using folder = await SharedFolder.make();
    const options = { mode: 0o600, uid: 0, gid: 0 };
    const file = new SharedFile(path.join(folder.path, "area"), options);
    using subject = new TraceBuffer(mode, file);
    const write = (words: readonly bigint[]) => {
      const bytes = new Uint8Array(BigUint64Array.from(words).buffer);
      fs.writeSync(file.fd, bytes, 0, bytes.length, 0);
    };
    await run({ file, subject, write });
  });
}

scenario("a buffer without room has nothing", "pc", ({ subject }) => {
  assert.equal([subject.words, subject.drain().length], [0, 0]);
});

scenario("it grows, and never shrinks", "pc", ({ file, subject }) => {
  for (const words of [64, 512, 2]) subject.grow(words);
  assert.equal([subject.words, file.size, subject.path], [512, 4096, file.path]);
});

scenario("PCs are taken once, in order, with repeats", "pc", ({ subject, write }) => {
  subject.grow(8);
  write([3n, HIGH + 16n, HIGH + 8n, HIGH + 16n, HIGH + 99n]);
  assert.equal([...subject.drain()], [16, 8, 16]);
  assert.equal([...subject.drain()], []);
  write([1n]);
  assert.equal([...subject.drain()], [16], "what follows begins anew");
});

scenario("what is in it stays when it grows", "pc", ({ subject, write }) => {
  subject.grow(2);
  write([1n, HIGH + 8n]);
  subject.grow(4096);
  assert.equal([...subject.drain()], [8]);
});

scenario("a count beyond the end is that of a full buffer", "pc", ({ subject, write }) => {
  subject.grow(3);
  write([7n, HIGH + 8n, HIGH + 16n]);
  assert.equal([...subject.drain()], [8, 16]);
});

scenario("comparisons are taken by the halves of four words", "cmp", ({ subject, write }) => {
  subject.grow(512);
  write([2n, 5n, 1n, 2n, HIGH + 8n, 6n, 0x1_00000002n, 3n, HIGH + 16n]);
  const first = [5, 0, 1, 0, 2, 0, 8, 0xffffffff];
  const second = [6, 0, 2, 1, 3, 0, 16, 0xffffffff];
  assert.equal([...subject.drain()], [...first, ...second]);
  assert.equal([...subject.drain()], []);
});

scenario("what is perhaps folded is taken by the halves of words", "fold", ({ subject, write }) => {
  subject.grow(8);
  write([2n, 0x0500000_10000002n, HIGH + 16n, HIGH + 99n]);
  assert.equal([...subject.drain()], [0x10000002, 0x0500000, 16, 0xffffffff]);
  assert.equal([...subject.drain()], []);
});

for (const [words, most] of [[4, 0], [5, 1], [8, 1], [9, 2]]) {
  scenario(`${words} words hold ${most} comparisons`, "cmp", ({ subject, write }) => {
    subject.grow(words);
    write([9n]);
    assert.is(subject.drain().length, 8 * most);
  });
}

scenario("disposing removes its file", "pc", ({ file, subject }) => {
  subject[Symbol.dispose]();
  assert.not(fs.existsSync(file.path));
});

buffer.run();
