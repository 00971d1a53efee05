import { suite } from "uvu";
import * as assert from "uvu/assert";
import folding, { type Folding } from "../../src/folding/fold.cts";
import { edgeCounts, foldedWord, folds, pcWord, wordsOf } from "./edge_counts.ts";

const { leavesRoom } = folding as unknown as Folding;
const folded = suite("folding/fold");

const MOST = 254;

/** A small generator of numbers, for tests that repeat. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return ((state ^ state >>> 13) >>> 0) % below;
  };
}

/** Blocks as loops give them: stretches that repeat, of few or of many. */
function randomTrace(random: (below: number) => number): number[] {
  const trace: number[] = [];
  const blocks = [2, 20, 3000, 0xfdfffff][random(4)];
  for (let stretches = random(20); stretches >= 0; stretches--) {
    const body = Array.from({ length: 1 + random(30) }, () => 1 + random(blocks));
    for (let rounds = random(40); rounds >= 0; rounds--) trace.push(...body);
  }
  return trace;
}

folded("each edge is one word, in the order in which they came, and the last PC stays", () => {
  const words = folds([1, 2, 3, 2, 3].map(pcWord));
  assert.equal(words, [
    foldedWord(0, 1, 1),
    foldedWord(1, 2, 1),
    foldedWord(2, 3, 2),
    foldedWord(3, 2, 1),
    pcWord(3),
  ]);
});

folded("a word is a count, the block before and the block, from the upper bits on", () => {
  assert.equal(folds([pcWord(0xabcdef1), pcWord(0x1234567)])[1], 0x01abcdef1_1234567n);
});

folded("of no words there are none, and one PC is its edge and itself", () => {
  assert.equal(folds([]), []);
  assert.equal(folds([pcWord(7)]), [foldedWord(0, 7, 1), pcWord(7)]);
});

folded("the last PC keeps all its bits", () => {
  assert.is(folds([pcWord(3), pcWord(9) + 5n]).at(-1), pcWord(9) + 5n);
});

folded("a count ends at 254, which is no PC with any blocks", () => {
  const most = 0xfffffff;
  const words = folds(Array.from({ length: 1000 }, () => pcWord(most)));
  assert.equal(words, [foldedWord(0, most, 1), foldedWord(most, most, MOST), pcWord(most)]);
  assert.ok(words[1] >> 32n !== 0xffffffffn);
});

folded("what is folded again adds up; the PC behind it is not counted anew", () => {
  const once = folds([1, 2, 1, 2].map(pcWord));
  assert.equal(folds([...once, ...[1, 2, 3].map(pcWord)]), [
    foldedWord(0, 1, 1),
    foldedWord(1, 2, 3),
    foldedWord(2, 1, 2),
    foldedWord(2, 3, 1),
    pcWord(3),
  ]);
});

folded("counts that are folded again end at 254 together", () => {
  const once = folds(Array.from({ length: 200 }, () => pcWord(1)));
  const again = folds([...once, ...Array.from({ length: 200 }, () => pcWord(1))]);
  assert.equal(again, [foldedWord(0, 1, 1), foldedWord(1, 1, MOST), pcWord(1)]);
});

folded("where a folded word is the last, no PC is behind it", () => {
  assert.equal(folds([pcWord(1), pcWord(2), foldedWord(2, 3, 1)]), [
    foldedWord(0, 1, 1),
    foldedWord(1, 2, 1),
    foldedWord(2, 3, 1),
  ]);
});

folded("more edges than the table has at first are each a word", () => {
  const trace = Array.from({ length: 50_000 }, (_, i) => i + 1);
  const words = folds([...trace, ...trace].map(pcWord));
  assert.is(words.length, 50_000 + 2);
  assert.equal(edgeCounts(words), edgeCounts([...trace, ...trace].map(pcWord)));
});

folded("random traces have the same counts, however often and wherever they were folded", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = randomOf(seed);
    const trace = randomTrace(random).map(pcWord);
    let words: bigint[] = [];
    for (let at = 0; at < trace.length;) {
      const end = at + 1 + random(trace.length);
      words = folds([...words, ...trace.slice(at, end)]);
      at = end;
    }
    assert.equal(edgeCounts(words), edgeCounts(trace), `seed ${seed}`);
  }
});

folded("an area has room again when an eighth of it is free, and one word at least", () => {
  assert.is(leavesRoom(56, 65), true);
  assert.is(leavesRoom(57, 65), false);
  assert.is(leavesRoom(1, 2), false);
  assert.is(leavesRoom(2, 4), true);
  assert.is(leavesRoom(3, 4), false);
});

folded("words are what halves make them", () => {
  assert.equal(wordsOf(Int32Array.of(0, 0, 1, -1), 1), [0xffffffff00000001n]);
});

folded.run();
