import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  formatNotification,
  formatNotified,
  formatReply,
  formatRequest,
  formatValue,
} from "../../src/fuse/format.ts";
import { Notifier } from "../../src/fuse/mod.ts";
import { nodeId, unique } from "../../src/fuse/ids.ts";

const format = suite("fuse/format");

format("a request: its number, what it asks of which node, and who asks", () => {
  const request = { unique: unique(2), nodeid: nodeId(4), pid: 77 };
  const open = { name: "OPEN", input: { flags: 2 } };
  assert.is(formatRequest(request, open), "rx 2: OPEN n4 {flags: 0x2} p77");
  assert.is(formatRequest(request, { name: "STATFS", input: undefined }), "rx 2: STATFS n4 p77");
});

format("a reply: OK and what it brings, or the error's name", () => {
  assert.is(formatReply(unique(2), { errno: 0 }), "tx 2: OK");
  assert.is(formatReply(unique(2), { errno: 0, output: { fh: 1 } }), "tx 2: OK {fh: 1}");
  assert.is(formatReply(unique(2), { errno: 25 }), "tx 2: ENOTTY");
});

format("a notification: what it tells of which node, and what became of it", async () => {
  const lines: string[] = [];
  let errno = 0;
  const notifier = new Notifier((bytes) => {
    lines.push(formatNotification(lines.length + 1, bytes));
    return Promise.resolve(errno);
  }, { concurrency: 1 });
  await notifier.invalInode(nodeId(7), { offset: 0, length: 4096 });
  await notifier.invalEntry(1, "kcov");
  errno = await notifier.store(nodeId(8), 4088, Uint8Array.of(1, 2));
  assert.equal(lines, [
    "nt 1: INVAL_INODE n7 {len: 4096}",
    'nt 2: INVAL_ENTRY n1 "kcov"',
    "nt 3: STORE n8 {offset: 4088, size: 2} 2b:0102",
  ]);
  assert.equal([0, 2].map((errno) => formatNotified(3, errno)), ["nt 3: OK", "nt 3: ENOENT"]);
});

format("a notification that is cut short, or of another kind, is shown all the same", () => {
  assert.is(formatNotification(1, Uint8Array.of(1, 2, 3)), "nt 1: 3b:010203");
  const header = [16, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  assert.is(formatNotification(1, Uint8Array.from(header)), "nt 1: code 9");
});

format("flags and addresses are hexadecimal, modes octal, all other numbers decimal", () => {
  const value = { flags: 32770, cmd: 25444, mode: 0o100600, size: 2 ** 21, arg: 0x7fff12345678n };
  assert.is(
    formatValue(value),
    "{flags: 0x8002, cmd: 0x6364, mode: 0o100600, size: 2097152, arg: 0x7fff12345678}",
  );
});

format("what is 0 or empty is left out", () => {
  const value = { fh: 0, arg: 0n, data: new Uint8Array(), attr: { ino: 0 }, name: "", none: null };
  assert.is(formatValue(value), '{name: "", none: null}');
  assert.is(formatReply(unique(2), { errno: 0, output: { fh: 0 } }), "tx 2: OK");
});

format("negative numbers are decimal: they are errors", () => {
  assert.is(formatValue({ result: -524 }), "{result: -524}");
});

format("bytes are shown by their number and the first 16", () => {
  assert.is(formatValue(new Uint8Array()), "0b:");
  assert.is(formatValue(Uint8Array.of(1, 255)), "2b:01ff");
  assert.is(formatValue(new Uint8Array(16)), `16b:${"00".repeat(16)}`);
  assert.is(formatValue(new Uint8Array(17)), `17b:${"00".repeat(16)}...`);
});

format("names are quoted, so that a line is a line", () => {
  assert.is(formatValue('a"b\nc'), '"a\\"b\\nc"');
});

format("lists and structures nest", () => {
  assert.is(formatValue({ list: [{ a: 1 }, { b: null }] }), "{list: [{a: 1}, {b: null}]}");
});

format.run();
