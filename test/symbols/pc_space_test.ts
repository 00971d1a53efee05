import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  blockNumber,
  blockOfPc,
  BLOCKS,
  findFree,
  firstEndingAfter,
  formatPc,
  pcOfBlock,
  preferredBase,
  type Segment,
} from "../../src/symbols/pc_space.ts";

const space = suite("symbols/pc_space");
const FIRST = blockNumber(0);
const LAST = blockNumber(BLOCKS - 1);

space("PCs go from 0xffffffff80000000 in steps of 8, below 0xffffffffff000000", () => {
  assert.equal([0, 1, 2].map((block) => formatPc(blockNumber(block))), [
    "0xffffffff80000000",
    "0xffffffff80000008",
    "0xffffffff80000010",
  ]);
  assert.is(formatPc(LAST), "0xfffffffffefffff8");
  assert.equal([pcOfBlock(FIRST), pcOfBlock(LAST)], [0x80000000, 0xfefffff8]);
});

space("a PC is known by its 64 bits, or by the lower 32 that some clients keep", () => {
  for (const block of [0, 1, 12345678, BLOCKS - 1].map(blockNumber)) {
    assert.is(blockOfPc(0xffffffff00000000n + BigInt(pcOfBlock(block))), block);
    assert.is(blockOfPc(BigInt(pcOfBlock(block))), block);
    assert.is(blockOfPc(BigInt(formatPc(block))), block);
  }
});

space("what cannot be a block's PC is none", () => {
  const others = [
    0n,
    0x7ffffff8n,
    0xff000000n,
    0xffffffffn,
    0xffffffff7ffffff8n,
    0xffffffffff000000n,
    // Between two blocks.
    0xffffffff80000001n,
    0xffffffff80000007n,
    // The lower half is one, the upper half is not.
    0xfffffffe80000000n,
    0x0000000180000000n,
    0x1ffffffff80000000n,
    -1n,
    -0x80000000n,
  ];
  for (const pc of others) assert.is(blockOfPc(pc), undefined, `0x${pc.toString(16)}`);
});

space("a script's place never changes, or corpora would be worth nothing", () => {
  // The first 4 bytes of SHA-256 of "HASH URL", little endian, modulo 266338304 less the count;
  // worked out with Python's hashlib.
  assert.is(BLOCKS, 266338304);
  assert.is(preferredBase({ hash: "abc", url: "file:///a.js", count: 10 }), 228895213);
  const script = { hash: "0".repeat(64), url: "file:///srv/app.js", count: 1000 };
  assert.is(preferredBase(script), 87878850);
});

space("a script's place leaves room for all its blocks, however many", () => {
  for (let i = 0; i < 200; i++) {
    const count = BLOCKS - 1 - i;
    const base = preferredBase({ hash: String(i), url: "", count });
    assert.ok(base >= 0 && base + count <= BLOCKS, `${base} for ${count}`);
  }
});

const segments = (...pairs: [number, number][]): Segment[] =>
  pairs.map(([base, count]) => ({ base: blockNumber(base), count }));

function free(
  taken: Segment[],
  { preferred, count }: { preferred: number; count: number },
): number | undefined {
  return findFree(taken, { preferred: blockNumber(preferred), count });
}

space("a place that is free is taken, also between two segments that it touches", () => {
  const taken = segments([10, 10], [30, 10]);
  const cases: [number, number, number][] = [[0, 10, 0], [20, 10, 20], [22, 3, 22], [40, 5, 40]];
  for (const [preferred, count, expected] of cases) {
    assert.is(free(taken, { preferred, count }), expected, `${count} at ${preferred}`);
  }
  assert.is(free([], { preferred: 7, count: 3 }), 7);
});

space("a collision moves on to the next gap that is large enough", () => {
  const taken = segments([10, 10], [25, 5], [40, 10]);
  const cases: [number, number, number][] = [
    [1, 10, 30], // reaches into the first; the gap of 5 is too small
    [10, 1, 20], // on a segment's first block
    [19, 5, 20], // on its last
    [19, 6, 30],
    [24, 2, 30], // the gap's last block, and one more
    [35, 6, 50],
  ];
  for (const [preferred, count, expected] of cases) {
    assert.is(free(taken, { preferred, count }), expected, `${count} at ${preferred}`);
  }
});

space("at the end of the space it goes around", () => {
  const taken = segments([0, 5], [BLOCKS - 10, 10]);
  assert.is(free(taken, { preferred: BLOCKS - 10, count: 3 }), 5);
  assert.is(free(taken, { preferred: BLOCKS - 12, count: 3 }), 5);
  assert.is(free(taken, { preferred: BLOCKS - 12, count: 2 }), BLOCKS - 12);
  assert.is(free([], { preferred: BLOCKS - 1, count: 2 }), 0);
  assert.is(free([], { preferred: BLOCKS - 2, count: 2 }), BLOCKS - 2);
});

space("where no gap is large enough there is no place", () => {
  const taken = segments([0, 10], [12, BLOCKS - 12]);
  assert.is(free(taken, { preferred: 500, count: 2 }), 10);
  assert.is(free(taken, { preferred: 500, count: 3 }), undefined);
  assert.is(free(segments([0, BLOCKS]), { preferred: 0, count: 1 }), undefined);
});

space("the place is the nearest free one after the preferred, for any segments", () => {
  let seed = 7;
  const random = (below: number) => (seed = seed * 48271 % 0x7fffffff) % below;
  for (let round = 0; round < 2000; round++) {
    // Segments with gaps of 0 to 3, then one up to 4 blocks before the end of the space.
    const taken: Segment[] = [];
    let end = 0;
    for (let i = random(6); i > 0; i--) {
      const base = end + random(4);
      taken.push({ base: blockNumber(base), count: 1 + random(4) });
      end = base + taken.at(-1)!.count;
    }
    const rest = end + random(4);
    taken.push({ base: blockNumber(rest), count: BLOCKS - random(4) - rest });
    const isFree = (base: number, count: number) =>
      base + count <= BLOCKS &&
      taken.every((other) => base + count <= other.base || base >= other.base + other.count);
    const wanted = { preferred: random(end + 3), count: 1 + random(4) };
    // By trying one after the other: the small numbers, and those at the end of the space.
    const places = [...Array(rest + 1).keys(), ...[4, 3, 2, 1].map((n) => BLOCKS - n)];
    const expected = places.find((at) => at >= wanted.preferred && isFree(at, wanted.count)) ??
      places.find((at) => isFree(at, wanted.count));
    assert.is(free(taken, wanted), expected, JSON.stringify({ taken, wanted }));
  }
});

space("the segment that holds a block, or the next one, is found", () => {
  const taken = segments([10, 10], [20, 1], [30, 5]);
  const expected = [[0, 0], [9, 0], [10, 0], [19, 0], [20, 1], [21, 2], [30, 2], [34, 2], [35, 3]];
  for (const [block, index] of expected) {
    assert.is(firstEndingAfter(taken, blockNumber(block)), index);
  }
  assert.is(firstEndingAfter([], FIRST), 0);
});

space.run();
