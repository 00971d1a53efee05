import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { BlockTable } from "../../src/blocks/block_table.ts";
import { linePositions } from "../../src/blocks/line_positions.ts";

const lines = suite("blocks/line_positions");

/** The positions of stretches of a source, four numbers each. */
function positions(source: string, ...stretches: [number, number][]): number[][] {
  const table = {
    blockStart: Uint32Array.from(stretches, ([start]) => start),
    blockEnd: Uint32Array.from(stretches, ([, end]) => end),
  } as unknown as BlockTable;
  const all = [...linePositions(source, table)];
  return stretches.map((_, i) => all.slice(4 * i, 4 * i + 4));
}

lines("lines and columns are counted from 1", () => {
  assert.equal(positions("ab\ncd\n", [0, 6], [1, 2], [3, 5]), [
    [1, 1, 3, 1],
    [1, 2, 1, 3],
    [2, 1, 2, 3],
  ]);
});

lines("a line's end belongs to the line", () => {
  assert.equal(positions("ab\r\ncd", [2, 3], [3, 4]), [[1, 3, 1, 4], [1, 4, 2, 1]]);
});

lines("lines end as ECMAScript says: LF, CR, CR LF, U+2028, U+2029, and nothing else", () => {
  for (const end of ["\n", "\r", "\r\n", "\u2028", "\u2029"]) {
    const source = `a${end}b${end}${end}c`;
    const at = source.length - 1;
    assert.equal(positions(source, [at, at + 1]), [[4, 1, 4, 2]], JSON.stringify(end));
  }
  assert.equal(positions("a\vb\fc\u0085d", [6, 7]), [[1, 7, 1, 8]]);
  // LF CR are two line ends.
  assert.equal(positions("a\n\rb", [3, 4]), [[3, 1, 3, 2]]);
});

lines("columns are UTF-16 units, as V8's and editors' are", () => {
  assert.equal(positions("'é😀'; x\n", [7, 8]), [[1, 8, 1, 9]]);
});

lines("the end of the source is a position, and an empty source has one", () => {
  assert.equal(positions("", [0, 0]), [[1, 1, 1, 1]]);
  assert.equal(positions("ab", [0, 2]), [[1, 1, 1, 3]]);
  assert.equal(positions("ab\n", [0, 3]), [[1, 1, 2, 1]]);
});

lines("it is the same as counting, wherever a block stands", () => {
  const source = "a\n\nbb\r\nccc\u2028\r\u2029d";
  const stretches = Array.from(source + "!", (_, i): [number, number] => [i, source.length - i]);
  const count = (offset: number) => {
    let [line, column] = [1, 1];
    for (let i = 0; i < offset; i++) {
      const isEnd = "\n\u2028\u2029".includes(source[i]) ||
        source[i] === "\r" && source[i + 1] !== "\n";
      [line, column] = isEnd ? [line + 1, 1] : [line, column + 1];
    }
    return [line, column];
  };
  const expected = stretches.map(([start, end]) => [...count(start), ...count(end)]);
  assert.equal(positions(source, ...stretches), expected);
});

lines.run();
