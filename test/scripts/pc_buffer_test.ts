import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PcBuffer } from "../../src/scripts/pc_buffer.ts";

const buffer = suite("scripts/pc_buffer");

buffer("what was pushed comes out in order, once", () => {
  const subject = new PcBuffer();
  assert.equal([...subject.drain()], []);
  for (const pc of [0xffffffff, 0, 0x80000008]) subject.push(pc);
  assert.equal([...subject.drain()], [0xffffffff, 0, 0x80000008]);
  assert.equal([...subject.drain()], []);
  subject.push(1);
  assert.equal([...subject.drain()], [1]);
});

buffer("it grows as it must, again and again", () => {
  const subject = new PcBuffer();
  for (const count of [4095, 4096, 4097, 20_000, 3, 8193]) {
    for (let i = 0; i < count; i++) subject.push(i);
    const pcs = subject.drain();
    assert.is(pcs.length, count);
    assert.ok(pcs.every((pc, i) => pc === i), `${count} PCs`);
  }
});

buffer("what was drained stays as it is while more is gathered", () => {
  const subject = new PcBuffer();
  subject.push(1);
  subject.push(2);
  const first = subject.drain();
  for (let i = 0; i < 5000; i++) subject.push(9);
  assert.equal([...first], [1, 2]);
  const second = subject.drain();
  subject.push(7);
  assert.is(second.length, 5000);
  assert.ok(second.every((pc) => pc === 9));
});

buffer.run();
