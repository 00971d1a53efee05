import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { executedBlocks } from "../../src/blocks/executed_blocks.ts";
import { ScriptReport } from "../../src/blocks/script_report.ts";

const test = suite("blocks/executed_blocks");

const SOURCE = "function f() {if (a) {if (b) {c}} else {d} e && g; return h; i}";
const FUNCTION = 1;
const table = buildBlockTable(SOURCE, { isModule: false });

/** A range of V8's; if `text` occurs more than once, the first one. */
function range(text: string, count: number) {
  const startOffset = SOURCE.indexOf(text);
  return { startOffset, endOffset: startOffset + text.length, count };
}

/** A report that stands before and after it. */
const OTHER = { functionName: "g", ranges: [range("i}", 1)], isBlockCoverage: true };

/** The texts of the blocks that have executed. */
function executed(ranges: ReturnType<typeof range>[], isBlockCoverage = true): string[] {
  const texts: string[] = [];
  const report = new ScriptReport();
  const functions = [OTHER, { functionName: "f", ranges, isBlockCoverage }, OTHER];
  report.fill({ scriptId: "1", url: "file:///a.js", functions });
  executedBlocks(table, FUNCTION, { report, index: 1 }, (block) => {
    texts.push(SOURCE.slice(table.blockStart[block], table.blockEnd[block]));
  });
  return texts;
}

const ALL = [SOURCE, "{if (b) {c}}", "{c}", " else {d}", " e ", "&& g", " i"];

test("the table has the blocks that the other tests expect", () => {
  assert.equal(executed([range(SOURCE, 1)]), ALL);
});

test("nothing has executed of a function that counts 0", () => {
  assert.equal(executed([range(SOURCE, 0)]), []);
});

test("the innermost range decides, and ranges that have ended do not", () => {
  assert.equal(
    executed([range(SOURCE, 2), range("{if (b) {c}}", 1), range("{c}", 0), range(" i", 0)]),
    [
      SOURCE,
      "{if (b) {c}}",
      " else {d}",
      " e ",
      "&& g",
    ],
  );
  assert.equal(executed([range(SOURCE, 3), range("{if (b) {c}} else {d}", 0), range("&& g", 0)]), [
    SOURCE,
    " e ",
    " i",
  ]);
});

test("a range whose start is no block's covers the blocks that start inside it", () => {
  assert.equal(executed([range(SOURCE, 1), range("a) {if (b) {c}} else {d} e", 0)]), [
    SOURCE,
    "&& g",
    " i",
  ]);
});

test("of a resumed function, which counts 0 itself, what ran has executed", () => {
  assert.equal(executed([range(SOURCE, 0), range(" e && g; return h;", 1)]), [" e ", "&& g"]);
});

test("blocks outside the function's own range go by its count", () => {
  const outside = { startOffset: SOURCE.length, endOffset: SOURCE.length + 1, count: 1 };
  assert.equal(executed([outside]), ALL);
});

test("without counters for blocks only the first block of a function that ran has executed", () => {
  assert.equal(executed([range(SOURCE, 5)], false), [SOURCE]);
  assert.equal(executed([range(SOURCE, 0)], false), []);
});

test.run();
