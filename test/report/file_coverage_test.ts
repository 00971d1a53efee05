import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fileCoverage } from "../../src/report/file_coverage.ts";
import { outlineFile } from "../../src/report/outline_file.ts";

const coverage = suite("report/file_coverage");

const URL = "file:///srv/sign.js";
const TEXT = `function sign(n) {
  if (n < 0) {
    return "negative";
  }
  return "other";
}
const unused = (a) => a + 1;
sign(3);
`;

/** The blocks of a text as a symbol table has them, and whether the text of each has executed. */
function statesOf(text: string, isCovered: (blockText: string) => boolean): Map<string, boolean> {
  const { positions, table } = outlineFile({ url: URL, text, isScript: true })!;
  const states = new Map<string, boolean>();
  for (let block = 0; block < table.blockStart.length; block++) {
    const [line, column, endLine, endColumn] = positions.subarray(4 * block, 4 * block + 4);
    const blockText = text.slice(table.blockStart[block], table.blockEnd[block]);
    states.set(`${line}.${column},${endLine}.${endColumn}`, isCovered(blockText));
  }
  return states;
}

/** The parts with a count of 0, by their text. */
function missed(text: string, states: Map<string, boolean>) {
  const outline = outlineFile({ url: URL, text, isScript: true });
  const data = fileCoverage("/srv/sign.js", { states, outline });
  const lines = text.split("\n");
  const at = ({ start }: { start: { line: number; column: number } }) =>
    lines[start.line - 1].slice(start.column);
  return {
    statements: Object.keys(data.s).filter((key) => data.s[key] === 0)
      .map((key) => at(data.statementMap[key])),
    functions: Object.keys(data.f).filter((key) => data.f[key] === 0)
      .map((key) => data.fnMap[key].name),
    branches: Object.keys(data.b).filter((key) => data.b[key][0] === 0)
      .map((key) => at(data.branchMap[key].loc)),
    all: [data.s, data.f, data.b].map((counts) => Object.keys(counts).length),
  };
}

coverage("statements, functions and branches are those of the blocks that they are in", () => {
  const states = statesOf(
    TEXT,
    (block) => !/^\{\n {4}return "neg/.test(block) && !block.startsWith("(a)"),
  );
  assert.equal(missed(TEXT, states), {
    statements: ['return "negative";', "a + 1;"],
    functions: ["unused"],
    branches: ["{"],
    all: [6, 2, 2],
  });
});

coverage("what nothing has run of is missed as a whole", () => {
  const { statements, functions } = missed(TEXT, statesOf(TEXT, () => false));
  assert.is(statements.length, 6);
  assert.equal(functions, ["sign", "unused"]);
});

coverage("what no target has compiled is left out", () => {
  const states = statesOf(TEXT, () => true);
  for (const range of states.keys()) if (range.startsWith("7.")) states.delete(range);
  assert.equal(missed(TEXT, states).all, [5, 1, 2]);
});

coverage("blocks of a file that is no JavaScript stand for themselves", () => {
  const states = new Map([["1.1,3.2", true], ["2.3,2.9", false]]);
  const data = fileCoverage("/srv/a.vue", { states, outline: undefined });
  assert.equal(data.s, { 0: 1, 1: 0 });
  assert.equal(data.b, { 0: [1], 1: [0] });
  const { start, end } = data.branchMap[1].loc;
  assert.equal([start, end], [{ line: 2, column: 2 }, { line: 2, column: 8 }]);
});

const NAMED: readonly (readonly [source: string, name: string])[] = [
  ["function declared() {}", "declared"],
  ["const arrow = () => {};", "arrow"],
  ["const a = function own() {};", "own"],
  ["exports.assigned = () => {};", "assigned"],
  ["const a = { method() {} };", "method"],
  ["const a = { get accessor() { return 1; } };", "accessor"],
  ["class A { static make() {} }", "make"],
  ["class A { #secret() {} }", "#secret"],
  ["[].map(() => {});", "(anonymous_0)"],
];
for (const [source, name] of NAMED) {
  coverage(`the function in ${source} is called ${name}`, () => {
    const states = statesOf(source, () => false);
    assert.equal(missed(source, states).functions, [name]);
  });
}

coverage("TypeScript is read as the JavaScript in it", () => {
  const text = "export function f(a: number): string {\n  return String(a);\n}\n";
  const outline = outlineFile({ url: "file:///srv/f.ts", text, isScript: false });
  const states = new Map([["1.8,3.2", false]]);
  const data = fileCoverage("/srv/f.ts", { states, outline });
  assert.equal([data.fnMap[0]?.name, data.f[0]], ["f", 0]);
});

coverage.run();
