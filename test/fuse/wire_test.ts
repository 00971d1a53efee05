import { suite } from "uvu";
import * as assert from "uvu/assert";
import { padding, Reader, struct, WireError, Writer } from "../../src/fuse/wire.ts";
import { fromHex, toHex } from "./hex.ts";

const wire = suite("fuse/wire");

const reader = (text: string) => new Reader(fromHex(text));

function written(write: (writer: Writer) => void): string {
  const writer = new Writer();
  write(writer);
  return toHex(writer.finish());
}

function isWireError(error: Error): boolean {
  return error instanceof WireError;
}

wire("numbers are read in little-endian order, one after the other", () => {
  const from = reader("0201 04030201 fcffffff 0807060504030281 ffffffffffff1f00 aa");
  assert.is(from.u16(), 0x0102);
  assert.is(from.u32(), 0x01020304);
  assert.is(from.i32(), -4);
  assert.is(from.u64(), 0x8102030405060708n);
  assert.is(from.u53(), Number.MAX_SAFE_INTEGER);
  assert.is(from.remaining, 1);
});

wire("numbers are written as they are read", () => {
  const text = written((to) => {
    to.u16(0x0102);
    to.u32(0xfffffffe);
    to.i32(-4);
    to.u64(0x8102030405060708n);
    to.u53(Number.MAX_SAFE_INTEGER);
    to.u53(0x1_0000_0000);
  });
  assert.is(
    text,
    "0201feffffff" + "fcffffff" + "0807060504030281" + "ffffffffffff1f00" +
      "0000000001000000",
  );
});

wire("a 53-bit number of 2^53 or more is refused, the largest below is not", () => {
  assert.is(reader("ffffffffffff1f00").u53(), 2 ** 53 - 1);
  assert.throws(() => reader("0000000000002000").u53(), isWireError);
  assert.throws(() => reader("ffffffffffffffff").u53(), isWireError);
});

wire("each read is checked against the end of the message, and takes nothing when it fails", () => {
  const reads: [string, number, (from: Reader) => unknown][] = [
    ["u16", 2, (from) => from.u16()],
    ["u32", 4, (from) => from.u32()],
    ["i32", 4, (from) => from.i32()],
    ["u64", 8, (from) => from.u64()],
    ["u53", 8, (from) => from.u53()],
    ["skip", 5, (from) => from.skip(5)],
    ["bytes", 3, (from) => from.bytes(3)],
  ];
  for (const [name, size, read] of reads) {
    const short = new Reader(new Uint8Array(size - 1));
    assert.throws(() => read(short), isWireError, name);
    assert.is(short.remaining, size - 1, name);
    const exact = new Reader(new Uint8Array(size));
    read(exact);
    assert.is(exact.remaining, 0, name);
  }
});

wire("a reader of a part of a buffer neither sees nor reaches what is around it", () => {
  const whole = fromHex("ffff 0102 ffff");
  const part = new Reader(whole.subarray(2, 4));
  assert.is(part.u16(), 0x0201);
  assert.throws(() => part.u16(), isWireError);
});

wire("bytes are a view into the message", () => {
  const message = fromHex("0102030405");
  const from = new Reader(message);
  from.skip(1);
  const view = from.bytes(3);
  message[2] = 9;
  assert.is(toHex(view), "020904");
  assert.is(from.bytes(0).length, 0);
});

wire("a name ends at its NUL; without one it is refused", () => {
  const from = reader("6b636f7600 c3a900 00 6162");
  assert.equal([from.name(), from.name(), from.name()], ["kcov", "é", ""]);
  assert.throws(() => from.name(), isWireError);
});

wire("a name keeps a byte order mark at its start: it is another name", () => {
  assert.is(reader("efbbbf6b636f7600").name(), "\ufeffkcov");
});

wire("a writer grows wherever it must, and what was written stays", () => {
  for (let capacity = 0; capacity <= 32; capacity++) {
    const to = new Writer(capacity);
    to.u16(0x0201);
    to.u32(0x06050403);
    to.i32(-1);
    to.u64(7n);
    to.u53(8);
    to.zeros(2);
    to.bytes(Uint8Array.of(9, 10));
    to.text("é");
    const expected = "010203040506ffffffff" + "0700000000000000" +
      "0800000000000000" + "0000090ac3a9";
    assert.is(toHex(to.finish()), expected, `capacity ${capacity}`);
    assert.is(to.length, expected.length / 2);
  }
});

wire("a writer that begins again leaves room for a header, and zeros are zeros", () => {
  const to = new Writer(16);
  to.bytes(new Uint8Array(16).fill(0xff));
  to.restart(4).zeros(4);
  const length = to.length;
  to.seek(0).u32(length);
  assert.is(toHex(to.seek(length).finish()), "08000000" + "00000000");
});

const inner = struct("inner", { a: "u16", gap: padding(2), b: "i32" });
const outer = struct("outer", { x: "u32", inner, big: "u64", end: padding(4), y: "u53" });

wire("a structure's size is that of its fields, padding and inner structures among them", () => {
  assert.is(inner.size, 8);
  assert.is(outer.size, 4 + 8 + 8 + 4 + 8);
  assert.is(outer.name, "outer");
});

wire("a structure is read field by field; padding is skipped, whatever it holds", () => {
  const bytes = "01000000" + "0200ffff" + "fdffffff" + "0400000000000080" +
    "ffffffff" +
    "0500000000000000";
  assert.equal(outer.decode(reader(bytes)), {
    x: 1,
    inner: { a: 2, b: -3 },
    big: 0x8000000000000004n,
    y: 5,
  });
});

wire("a structure is written field by field; padding is zero", () => {
  const writer = new Writer();
  writer.bytes(new Uint8Array(64).fill(0xff));
  outer.encode(writer.restart(), { x: 1, inner: { a: 2, b: -3 }, big: 4n, y: 5 });
  const bytes = "01000000" + "02000000" + "fdffffff" + "0400000000000000" +
    "00000000" +
    "0500000000000000";
  assert.is(toHex(writer.finish()), bytes);
});

wire("a structure that is cut short anywhere is refused", () => {
  for (let length = 0; length < outer.size; length++) {
    assert.throws(() => outer.decode(new Reader(new Uint8Array(length))), isWireError);
  }
});

wire.run();
