import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Area } from "../../src/kcov/area.ts";

const area = suite("area");

/** The lower half of the n-th block's PC. */
const pc = (n: number) => 0x80000000 + n * 8;
const pcs = (from: number, to: number) =>
  Uint32Array.from({ length: to - from }, (_, i) => pc(from + i));

/** All words of an area, as a client that maps it sees the server's copy. */
function words(area: Area): bigint[] {
  const size = Math.ceil(area.size / 4096) * 4096;
  const bytes = area.read(0, size);
  const copy = bytes.slice().buffer;
  return [...new BigUint64Array(copy)].slice(0, area.words);
}

/** A page as the kernel writes it back. */
function page(values: readonly (bigint | number)[]): Uint8Array {
  const bytes = new BigUint64Array(512);
  values.forEach((value, i) => bytes[i] = BigInt(value));
  return new Uint8Array(bytes.buffer);
}

const full = (n: number) => 0xffffffff_00000000n + BigInt(pc(n));

area("counts in its first word and keeps PCs as kernel addresses in the others", () => {
  const it = new Area(8);
  assert.is(it.append(pcs(0, 3), "counts"), 3);
  assert.equal(words(it), [3n, full(0), full(1), full(2), 0n, 0n, 0n, 0n]);
});

area("keeps each PC once until the client resets", () => {
  const it = new Area(64);
  it.append(pcs(0, 3), "counts");
  assert.is(it.append(pcs(1, 5), "counts"), 2);
  assert.is(it.count, 5);
  it.reset();
  assert.is(it.append(pcs(1, 5), "counts"), 4);
});

area("overflows silently: the count stops one short of the words", () => {
  const it = new Area(4);
  assert.is(it.append(pcs(0, 10), "counts"), 3);
  assert.equal(words(it), [3n, full(0), full(1), full(2)]);
  assert.is(it.append(pcs(20, 30), "counts"), 0);
});

area("holds a single PC at least", () => {
  const it = new Area(2);
  assert.is(it.append(pcs(7, 9), "counts"), 1);
  assert.equal(words(it), [1n, full(7)]);
});

area("takes a count of 0 that comes back as a reset", () => {
  const it = new Area(64);
  it.append(pcs(0, 3), "counts");
  assert.is(it.write(0, page([0, full(0), full(1), full(2)]), { read: 1 }), true);
  assert.is(it.count, 0);
  assert.is(it.append(pcs(0, 1), "counts"), 1);
  assert.equal(words(it).slice(0, 4), [1n, full(0), full(1), full(2)]);
});

area("takes page 0 without a change of the count as no reset", () => {
  const it = new Area(64);
  it.append(pcs(0, 3), "counts");
  assert.is(it.write(0, page([3, full(2), full(1), full(0)]), { read: 1 }), false);
  assert.is(it.append(pcs(0, 4), "counts"), 1);
  assert.equal(words(it).slice(0, 5), [4n, full(2), full(1), full(0), full(3)]);
});

area("appends behind the count that the client sets, and records all PCs anew", () => {
  const it = new Area(64);
  it.append(pcs(0, 4), "counts");
  it.write(0, page([2, full(0), full(1), full(2), full(3)]), { read: 1 });
  assert.is(it.append(pcs(0, 2), "counts"), 2);
  assert.equal(words(it).slice(0, 6), [4n, full(0), full(1), full(0), full(1), 0n]);
});

for (const count of [64n, 63n, 1n << 32n, (1n << 64n) - 1n]) {
  area(`takes a count of ${count} in 64 words as a full area`, () => {
    const it = new Area(64);
    it.write(0, page([count]), { read: 1 });
    assert.is(it.append(pcs(0, 4), "counts"), 0);
    assert.is(words(it)[0], count);
  });
}

area("tells the page cache once what was appended above page 0, in whole pages at first", () => {
  const it = new Area(4096);
  it.append(pcs(0, 600), "counts");
  const first = it.takeStretch()!;
  assert.is(first.offset, 4096);
  assert.is(first.data.length, 4096);
  assert.is(it.takeStretch(), undefined);
  it.append(pcs(600, 700), "counts");
  const second = it.takeStretch()!;
  assert.is(second.offset, 601 * 8);
  assert.is(second.data.length, 100 * 8);
});

area("tells it only what is within the file", () => {
  const it = new Area(600);
  it.append(pcs(0, 599), "counts");
  const stretch = it.takeStretch()!;
  assert.is(stretch.offset + stretch.data.length, 600 * 8);
});

area("puts back what a write lacks that was read before the store was carried out", () => {
  const it = new Area(4096);
  it.markCached(1);
  it.append(pcs(0, 600), "counts");
  it.takeStretch();
  const isWhole = () => {
    assert.equal(words(it).slice(512, 514), [full(511), full(512)]);
    assert.is(words(it)[600], full(599));
  };
  it.write(4096, page([]), { read: 1000 });
  isWhole();
  it.stretchStored(1005);
  it.write(4096, page([]), { read: 1005 });
  isWhole();
  it.write(4096, page([]), { read: 1006 });
  assert.is(words(it)[600], 0n);
});

area("takes what the client wrote there otherwise, even if it sorted its PCs in place", () => {
  const it = new Area(4096);
  it.markCached(1);
  it.append(pcs(0, 600), "counts");
  it.takeStretch();
  it.stretchStored(5);
  const sorted = [...words(it).slice(512, 601)].reverse();
  it.write(4096, page(sorted), { read: 5 });
  assert.equal(words(it).slice(512, 601), sorted);
  it.write(4096, page([]), { read: 6 });
  assert.equal(words(it)[512], 0n);
});

area("keeps nothing of a large area that the client has only cleared", () => {
  const it = new Area(64 * 1024 * 1024);
  const zeros = new Uint8Array(1 << 20);
  const before = process.memoryUsage().arrayBuffers;
  for (let at = 0; at < it.size; at += zeros.length) it.write(at, zeros, { read: 1 });
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < it.size / 16, `${held} bytes`);
});

area("cuts off what is written beyond its end", () => {
  const it = new Area(3);
  it.write(0, page([1, 2, 3, 4]), { read: 1 });
  assert.equal(words(it), [1n, 2n, 3n]);
});

area("reads stretches across pages that were never written as zeros", () => {
  const it = new Area(4096);
  it.append(pcs(0, 512), "counts");
  const bytes = it.read(4088, 16);
  assert.equal([...new BigUint64Array(bytes.slice().buffer)], [full(510), full(511)]);
  assert.equal(it.read(8192, 4096), new Uint8Array(4096));
});

area.run();
