/** Words of areas, and the counts of edges in them, counted the plain way. */
import folding, { type Folding } from "../../src/folding/fold.cts";

const { fold } = folding as unknown as Folding;

/** The PC of a block. */
export function pcWord(block: number): bigint {
  return 0xffffffff80000000n + 8n * BigInt(block);
}

/** An edge that was taken so often. */
export function foldedWord(previous: number, block: number, hits: number): bigint {
  return BigInt(hits) << 56n | BigInt(previous) << 28n | BigInt(block);
}

/** Words 1 to `count` of an area by its halves. */
export function wordsOf(halves: Int32Array, count: number): bigint[] {
  return [...new BigUint64Array(halves.slice(2, 2 + 2 * count).buffer)];
}

/** An area's words when they are folded. */
export function folds(words: readonly bigint[]): bigint[] {
  const halves = new Int32Array(new BigUint64Array([0n, ...words, 0n]).buffer);
  return wordsOf(halves, fold(halves, words.length));
}

const PC_HIGH = 0xffffffffn;
const BLOCK = 0xfffffffn;
const MOST_HITS = 254;

/** How often each edge was taken, up to 254, by the block before and the block. */
export function edgeCounts(words: readonly bigint[]): Record<string, number> {
  const counts = new Map<bigint, number>();
  const add = (edge: bigint, hits: number) =>
    counts.set(edge, Math.min(MOST_HITS, (counts.get(edge) ?? 0) + hits));
  let previous = 0n;
  let isCounted = false;
  for (const word of words) {
    if (word >> 32n === PC_HIGH) {
      const block = word >> 3n & BLOCK;
      if (!isCounted) add(previous << 28n | block, 1);
      previous = block;
      isCounted = false;
    } else {
      add(word & 0xffffffffffffffn, Number(word >> 56n));
      isCounted = true;
    }
  }
  const sorted = [...counts].sort(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(sorted.map(([edge, hits]) => [edge.toString(16), hits]));
}
