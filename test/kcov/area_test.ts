import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Area } from "../../src/kcov/area.ts";
import { edgeCounts, foldedWord, pcWord } from "../folding/edge_counts.ts";

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

/** Words, as they are appended. */
function folded(words: readonly bigint[]): Uint32Array {
  return new Uint32Array(BigUint64Array.from(words).buffer);
}

/** The words that a client finds. */
const found = (it: Area) => words(it).slice(1, 1 + it.count);
const trace = (...blocks: number[]) => blocks.map(pcWord);
/** Blocks in a loop. */
const loop = (length: number) => trace(...Array.from({ length }, (_, i) => 1 + i % 5));

area("words that are perhaps folded are appended as they are while there is room", () => {
  const it = new Area(8);
  const some = [foldedWord(0, 1, 1), foldedWord(1, 1, 9), pcWord(1), pcWord(2)];
  assert.is(it.append(folded(some), "folded"), 4);
  assert.equal(words(it), [4n, ...some, 0n, 0n, 0n]);
  assert.is(it.append(folded(trace(3)), "folded"), 1);
  assert.equal(found(it), [...some, pcWord(3)]);
});

area("when there is no room, it is folded with them", () => {
  const it = new Area(8);
  it.append(folded(trace(1, 2, 1, 2, 1)), "folded");
  assert.is(it.append(folded(trace(2, 1, 3)), "folded"), 3);
  assert.equal(found(it), [
    ...[foldedWord(0, 1, 1), foldedWord(1, 2, 3), foldedWord(2, 1, 3), foldedWord(1, 3, 1)],
    pcWord(3),
  ]);
});

area("an edge goes on from what was collected before to what was folded since", () => {
  const it = new Area(64);
  it.append(folded(trace(1, 0xabcdef1)), "folded");
  it.append(folded([foldedWord(0, 3, 1), foldedWord(3, 3, 7), pcWord(3)]), "folded");
  const all = trace(1, 0xabcdef1, ...Array(8).fill(3));
  assert.equal(edgeCounts(found(it)), edgeCounts(all));
});

area("what no longer fits is dropped, and nothing comes until the client resets it", () => {
  const it = new Area(64);
  const many = trace(...Array.from({ length: 100 }, (_, i) => i + 1));
  assert.is(it.append(folded(many), "folded"), 63);
  assert.equal(found(it), many.slice(0, 63));
  assert.is(it.append(folded(loop(1000)), "folded"), 0);
  assert.equal(found(it), many.slice(0, 63));
  for (const reset of [() => it.reset(), () => void it.write(0, page([0]), { read: 1 })]) {
    reset();
    assert.is(it.append(folded(loop(1000)), "folded"), 1000);
    assert.equal(edgeCounts(found(it)), edgeCounts(loop(1000)));
  }
});

area("words that end with an edge were cut where they were written: the area is full, too", () => {
  const it = new Area(8);
  const cut = [...trace(1, 2, 3, 4, 5, 6), foldedWord(6, 7, 1)];
  it.append(folded(cut), "folded");
  assert.equal(found(it), cut);
  assert.is(it.append(folded(trace(1, 2, 1, 2)), "folded"), 0);
  assert.is(it.count, 7);
});

area("the page cache has the same words whenever it is folded and told", () => {
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 15; round++) {
    const it = new Area(2048);
    const cache = new Uint8Array(it.size);
    let all: bigint[] = [];
    for (let piece = 0; piece < 20; piece++) {
      const [from, body] = [1 + random(300), 1 + random(60)];
      const blocks = Array.from({ length: random(900) }, (_, i) => from + i % body);
      all = [...all, ...trace(...blocks)];
      it.append(folded(trace(...blocks)), "folded");
      if (random(2) === 0) continue;
      const stretch = it.takeStretch();
      if (stretch) cache.set(stretch.data, stretch.offset);
      it.stretchStored(0);
      cache.set(it.read(0, 4096));
      const count = it.count + 1;
      const seen = [...new BigUint64Array(cache.buffer)];
      assert.equal(
        seen.slice(0, count),
        words(it).slice(0, count),
        "the kernel's are the server's",
      );
      assert.equal(edgeCounts(found(it)), edgeCounts(all));
    }
  }
});

area.run();
