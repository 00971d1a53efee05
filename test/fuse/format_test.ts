import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatReply, formatRequest, formatValue } from "../../src/fuse/format.ts";

const format = suite("fuse/format");

format("a request: its number, what it asks of which node, and who asks", () => {
  const request = { unique: 2, nodeid: 4, pid: 77 };
  const open = { name: "OPEN", input: { flags: 2 } };
  assert.is(formatRequest(request, open), "rx 2: OPEN n4 {flags: 2} p77");
  assert.is(formatRequest(request, { name: "STATFS", input: undefined }), "rx 2: STATFS n4 p77");
});

format("a reply: OK and what it brings, or the error's name", () => {
  assert.is(formatReply(2, { errno: 0 }), "tx 2: OK");
  assert.is(formatReply(2, { errno: 0, output: { fh: 1 } }), "tx 2: OK {fh: 1}");
  assert.is(formatReply(2, { errno: 25 }), "tx 2: ENOTTY");
});

format("large numbers are hexadecimal, for they are flags and addresses", () => {
  const values = [0, 65535, 65536, 2n, 65535n, 0x7fff12345678n];
  assert.equal(values.map(formatValue), ["0", "65535", "0x10000", "2", "65535", "0x7fff12345678"]);
});

format("negative numbers are decimal: they are errors", () => {
  assert.equal([-524, -100000].map(formatValue), ["-524", "-100000"]);
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
  const value = { list: [{ a: 1 }, { b: null }], none: undefined };
  assert.is(formatValue(value), "{list: [{a: 1}, {b: null}], none: undefined}");
});

format.run();
