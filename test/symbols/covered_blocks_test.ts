import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packBits, unpackBits } from "../../src/symbols/block_bits.ts";
import {
  BEFORE_RESET,
  CoveredBlocks,
  mergeScripts,
  SINCE_RESET,
} from "../../src/symbols/covered_blocks.ts";
import { blockNumber, pcOfBlock } from "../../src/symbols/pc_space.ts";

const covered = suite("symbols/covered_blocks");

const A = { base: blockNumber(10), count: 3 };
const B = { base: blockNumber(40), count: 2 };

covered("a script's marks in a target are the same array each time", () => {
  const subject = new CoveredBlocks();
  subject.marksOf("api", A)[1] = SINCE_RESET;
  assert.equal([...subject.marksOf("api", A)], [0, SINCE_RESET, 0]);
  assert.equal([...subject.marksOf("other", A)], [0, 0, 0]);
});

covered("a reset keeps what has executed, and tells it from what comes after", () => {
  const subject = new CoveredBlocks();
  const marks = subject.marksOf("api", A);
  marks[0] = marks[1] = SINCE_RESET;
  subject.reset();
  marks[1] = SINCE_RESET;
  assert.equal([...marks], [BEFORE_RESET, SINCE_RESET, 0]);
});

covered("blocks are found by their PCs, and PCs of no script are none", () => {
  const subject = new CoveredBlocks();
  const pcs = [9, 10, 12, 13, 41, 99].map((block) => pcOfBlock(blockNumber(block)));
  subject.addPcs("page", { pcs, segments: [A, B] });
  const scripts = Object.fromEntries(
    [...subject.list()].map(([name, list]) => [
      name,
      list.map(({ base, marks }) => [base, ...marks]),
    ]),
  );
  assert.equal(scripts, { page: [[10, SINCE_RESET, 0, SINCE_RESET], [40, 0, SINCE_RESET]] });
});

covered("the size counts a block once, however many targets have executed it", () => {
  const subject = new CoveredBlocks();
  subject.marksOf("one", A)[0] = SINCE_RESET;
  subject.marksOf("two", A)[0] = BEFORE_RESET;
  subject.marksOf("two", A)[2] = SINCE_RESET;
  assert.is(subject.size, 2);
});

covered("what targets have executed of a script is merged", () => {
  const one = { base: blockNumber(40), marks: Uint8Array.of(1, 0) };
  const other = { base: blockNumber(40), marks: Uint8Array.of(0, 2) };
  const first = { base: blockNumber(10), marks: Uint8Array.of(0) };
  assert.equal(mergeScripts([one, first, other]), [
    { base: blockNumber(10), marks: Uint8Array.of(0) },
    { base: blockNumber(40), marks: Uint8Array.of(1, 2) },
  ]);
  assert.equal([...one.marks], [1, 0]);
});

covered("bits of blocks are read as they were written, from a mark on", () => {
  const marks = Uint8Array.of(0, 1, 2, 0, 0, 0, 0, 0, 2, 1);
  const read = (least: number) => {
    const isSet = unpackBits(packBits(marks, least));
    return Array.from({ length: 12 }, (_, block) => isSet(block) ? 1 : 0).join("");
  };
  assert.equal([read(1), read(2)], ["011000001100", "001000001000"]);
});

covered.run();
