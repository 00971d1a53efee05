import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CoverageReader } from "../../src/blocks/coverage_reader.ts";
import type { ScriptCoverage, ScriptReport } from "../../src/blocks/script_report.ts";

const test = suite("blocks/coverage_reader");

/** The report as an object again. */
function unfold(report: ScriptReport): ScriptCoverage {
  const { scriptId, url, firstRange, start, end, count, isBlockCoverage } = report;
  const functions = Array.from({ length: report.length }, (_, i) => ({
    functionName: report.nameOf(i),
    ranges: Array.from({ length: firstRange[i + 1] - firstRange[i] }, (_, j) => ({
      startOffset: start[firstRange[i] + j],
      endOffset: end[firstRange[i] + j],
      count: count[firstRange[i] + j],
    })),
    isBlockCoverage: isBlockCoverage[i] === 1,
  }));
  return { scriptId, url, functions };
}

/** The reports that are read from a text in the middle of others. */
function read(text: string): { scripts: ScriptCoverage[]; texts: string[] } {
  const around = Buffer.from(`[]${text}[]`);
  const scripts: ScriptCoverage[] = [];
  const texts: string[] = [];
  new CoverageReader().read(around.subarray(2, around.length - 2), (report, text) => {
    scripts.push(unfold(report));
    texts.push(Buffer.from(text).toString());
  });
  return { scripts, texts };
}

function range(startOffset: number, endOffset: number, count: number) {
  return { startOffset, endOffset, count };
}

test("what is JSON and none of V8's is a SyntaxError, after what was", () => {
  const whole = { scriptId: "1", url: "", functions: [] };
  const fn = { functionName: "f", ranges: [range(0, 1, 1)], isBlockCoverage: true };
  const others = [
    ...[null, 1, "x", [], {}, { ...whole, scriptId: 1 }, { ...whole, url: null }],
    ...[{ length: 1 }, null, [null], [1], [{}], [{ ...fn, functionName: 1 }]].map((functions) => ({
      ...whole,
      functions,
    })),
    ...[null, [null], [{}], [{ ...range(0, 1, 1), count: "1" }]].map((ranges) => ({
      ...whole,
      functions: [{ ...fn, ranges }],
    })),
    { ...whole, functions: [{ ...fn, isBlockCoverage: 1 }] },
  ];
  for (const text of ["{}", "null", "1", '"x"']) assert.throws(() => read(text), SyntaxError);
  for (const other of others) {
    const ids: string[] = [];
    const text = Buffer.from(JSON.stringify([whole, other]));
    const reading = () => new CoverageReader().read(text, ({ scriptId }) => ids.push(scriptId));
    assert.throws(reading, SyntaxError, JSON.stringify(other));
    assert.equal(ids, ["1"]);
  }
});

const SCRIPTS: readonly ScriptCoverage[] = [
  {
    scriptId: "12",
    url: "file:///a b/\u00e9\u{1f600}.js",
    functions: [
      { functionName: "", ranges: [range(0, 4294967295, 1)], isBlockCoverage: true },
      {
        functionName: 'a"\\\n,"ranges":[{',
        ranges: [range(7, 60, 12), range(20, 30, 0), range(22, 25, 2147483647)],
        isBlockCoverage: true,
      },
      { functionName: "\u00fc", ranges: [range(61, 80, 0)], isBlockCoverage: false },
    ],
  },
  { scriptId: "13", url: "", functions: [] },
  {
    scriptId: "999",
    url: 'x"]}\\',
    functions: [{ functionName: "\\", ranges: [range(1, 2, 3)], isBlockCoverage: true }],
  },
];

test("what V8 writes is read, strings with escapes and beyond ASCII among it", () => {
  const { scripts, texts } = read(JSON.stringify(SCRIPTS));
  assert.equal(scripts, SCRIPTS);
  assert.equal(texts, SCRIPTS.map((script) => JSON.stringify(script)));
  assert.equal(read("[]").scripts, []);
});

test("what is written in another way is read as well, each script once", () => {
  const [one, two, three] = SCRIPTS;
  const reordered = { functions: three.functions, url: three.url, scriptId: three.scriptId };
  const texts = [
    JSON.stringify(SCRIPTS, undefined, 1),
    ` ${JSON.stringify(SCRIPTS)}`,
    JSON.stringify([one, two, reordered]),
    JSON.stringify([one, two, { ...three, more: 1 }]),
    JSON.stringify(SCRIPTS).replaceAll('"isBlockCoverage":', '"isBlockCoverage": '),
    JSON.stringify(SCRIPTS).replaceAll('"count":', '"count" :'),
  ];
  for (const text of texts) assert.equal(read(text).scripts, SCRIPTS, text);
  // Each swap of keys, in the ranges too.
  for (const order of [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]) {
    const swapped = JSON.stringify(SCRIPTS, (key, value) => {
      if (key === "" || typeof value !== "object" || Array.isArray(value)) return value;
      const entries = Object.entries(value);
      return Object.fromEntries(order.map((i) => entries[i]));
    });
    assert.equal(read(swapped).scripts, SCRIPTS, swapped);
  }
});

test("a count beyond V8's numbers is not taken for 0", () => {
  const counted = (count: string) =>
    read(JSON.stringify([SCRIPTS[2]]).replace('"count":3', `"count":${count}`))
      .scripts[0].functions[0].ranges[0].count;
  assert.ok(counted("4294967295") > 0);
  assert.ok(counted("-2147483648") > 0);
  assert.is(counted("0"), 0);
});

/** Whether a text is JSON with all keys in it: no letter of a key is damaged. */
function isCoverage(text: string): boolean {
  try {
    JSON.parse(text);
  } catch {
    return false;
  }
  const keys = (json: string) => json.match(/"\w+":/g)?.join();
  return keys(text) === keys(JSON.stringify(SCRIPTS));
}

test("a text that is cut off is a SyntaxError, one with other values is read as it is", () => {
  const text = JSON.stringify(SCRIPTS);
  for (let at = 0; at < text.length; at++) {
    assert.throws(() => read(text.slice(0, at)), (error: Error) => error instanceof SyntaxError);
    if (/[\ud800-\udfff]/.test(text[at])) continue;
    for (const byte of ["x", '"', "}", "]", ",", ":", "0"]) {
      const damaged = text.slice(0, at) + byte + text.slice(at + 1);
      if (isCoverage(damaged)) assert.equal(read(damaged).scripts, JSON.parse(damaged), damaged);
    }
  }
});

test("reports of more functions and ranges than any before are read whole", () => {
  const functions = Array.from({ length: 5000 }, (_, i) => ({
    functionName: `f${i}`,
    ranges: Array.from({ length: i % 7 + 1 }, (_, j) => range(i, i + 9 - j, j)),
    isBlockCoverage: i % 3 > 0,
  }));
  const scripts = [{ scriptId: "1", url: "a", functions }];
  assert.equal(read(JSON.stringify(scripts)).scripts, scripts);
  assert.equal(read(JSON.stringify(scripts, undefined, 1)).scripts, scripts);
});

test.run();
