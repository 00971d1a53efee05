import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  FRAME,
  FrameReader,
  isTaking,
  packFrame,
  packNumber,
  TAKE_METHOD,
  unpackNumber,
} from "../../src/messages/protocol.ts";

const protocol = suite("agent/protocol");

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (text: string) => Uint8Array.from(Buffer.from(text.replace(/ /g, ""), "hex"));

/** A reader and the frames that came out of it, as `type:body`. */
function reading(limit = 1000) {
  const frames: string[] = [];
  const reader = new FrameReader((type, body) => frames.push(`${type}:${hex(body)}`), limit);
  return { reader, frames };
}

protocol("a frame is the body's length in 32 bits, the type and the body", () => {
  assert.is(hex(packFrame(FRAME.release)), "0000000012");
  assert.is(hex(packFrame(FRAME.held, packNumber(0x01020304))), "04000000" + "04" + "04030201");
  const parts = [Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3)];
  assert.is(hex(packFrame(7, ...parts)), "03000000" + "07" + "010203");
});

protocol("no two kinds of frames have the same number", () => {
  const numbers = Object.values(FRAME);
  assert.is(new Set(numbers).size, numbers.length);
});

protocol("a number is read from its place in the body and not beyond", () => {
  const buffer = bytes("ffff 04030201 08070605 ffffffff");
  const body = buffer.subarray(2, 10);
  assert.equal([unpackNumber(body), unpackNumber(body, 4)], [0x01020304, 0x05060708]);
  for (const offset of [5, 8]) {
    assert.throws(() => unpackNumber(body, offset), RangeError);
  }
  assert.throws(() => unpackNumber(body.subarray(0, 3)), RangeError);
  assert.equal([0, 0xffffffff].map((n) => unpackNumber(packNumber(n))), [0, 0xffffffff]);
});

protocol("frames are cut out of a stream, however it is chopped", () => {
  const stream = bytes("00000000 12" + "03000000 07 010203" + "00000000 13" + "01000000 08 ff");
  const expected = ["18:", "7:010203", "19:", "8:ff"];
  for (let size = 1; size <= stream.length; size++) {
    const { reader, frames } = reading();
    for (let at = 0; at < stream.length; at += size) {
      reader.push(stream.subarray(at, at + size));
      reader.push(new Uint8Array());
    }
    assert.equal(frames, expected, `chunks of ${size}`);
  }
});

protocol("a frame is handed on as soon as its last byte is there", () => {
  const { reader, frames } = reading();
  reader.push(bytes("02000000 07 01"));
  assert.equal(frames, []);
  reader.push(bytes("02 0000"));
  assert.equal(frames, ["7:0102"]);
  reader.push(bytes("0000 09"));
  assert.equal(frames, ["7:0102", "9:"]);
});

protocol(
  "a large frame in many chunks is put together in time that grows as it does",
  () => {
    const sizes: number[] = [];
    const reader = new FrameReader(
      (_, body) => sizes.push(body.length),
      1 << 30,
    );
    const body = new Uint8Array(16 * 1024 * 1024);
    const frame = packFrame(7, body);
    const began = performance.now();
    for (let at = 0; at < frame.length; at += 4096) {
      reader.push(frame.subarray(at, at + 4096));
    }
    assert.equal(sizes, [body.length]);
    // If each chunk were copied anew, this would copy 32 GB.
    assert.ok(performance.now() - began < 8000);
  },
);

protocol("a body is the receiver's: what comes later does not change it", () => {
  const bodies: Uint8Array[] = [];
  const reader = new FrameReader((_, body) => bodies.push(body), 100);
  for (const part of ["0200", "0000 07 01", "02 02000000 08 03", "04"]) reader.push(bytes(part));
  assert.equal(bodies.map(hex), ["0102", "0304"]);
});

protocol("a frame longer than the limit is refused as soon as its header is there", () => {
  const { reader, frames } = reading(4);
  reader.push(packFrame(1, new Uint8Array(4)));
  assert.is(frames.length, 1);
  reader.push(bytes("05000000"));
  assert.throws(
    () => reader.push(bytes("01")),
    (error: Error) =>
      error instanceof RangeError &&
      error.message === "Cannot take a frame of 5 bytes",
  );
  const { reader: other } = reading(1 << 29);
  assert.throws(() => other.push(bytes("ffffffff 01")), RangeError);
});

protocol("frames that came before one that is too long are handed on", () => {
  const { reader, frames } = reading(4);
  assert.throws(() => reader.push(bytes("01000000 07 aa" + "ffffff00 01")), RangeError);
  assert.equal(frames, ["7:aa"]);
});

protocol(
  "what the receiver throws comes out of push, and the next frame is read all the same",
  () => {
    const types: number[] = [];
    const reader = new FrameReader((type) => {
      types.push(type);
      if (type === 1) throw new Error("broken");
    }, 100);
    assert.throws(() => reader.push(bytes("00000000 01 00000000 02")), /broken/);
    reader.push(bytes("00000000 03"));
    assert.equal(types, [1, 2, 3]);
  },
);

protocol("a batch collects if its last message does", () => {
  assert.ok(isTaking(JSON.stringify({ id: 1, method: TAKE_METHOD })));
  assert.not(isTaking(JSON.stringify({ id: 1, method: "Debugger.enable" })));
  assert.not(isTaking(undefined));
});

protocol.run();
