import { runInNewContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blockOfPcLow, pcOfBlock } from "../../src/symbols/pc_space.ts";
import { prepare } from "../../src/probes/prepare.ts";
import { withPrelude } from "../../src/scripts/standalone.ts";

const standalone = suite("scripts/standalone");

const FIRST_PC = pcOfBlock(blockOfPcLow(0x9abcde00));

function standaloneOf(source: string): string {
  const { code } = prepare(source, {}).emit({ firstPc: FIRST_PC, url: "file:///a.js" });
  return withPrelude({ code, firstPc: FIRST_PC });
}

/** The value that a program leaves in `seen`. */
function run(code: string, globals: object = {}): unknown {
  const context = { seen: undefined as unknown, ...globals };
  runInNewContext(code, context);
  return context.seen;
}

/** Programs for probes of each kind, each with the same result as without probes. */
const PROGRAMS: Record<string, unknown> = {
  "seen = 1;": 1,
  "'use strict'; seen = (function () { return this; })();": undefined,
  "#!/usr/bin/env node\nseen = 1;": 1,
  "// what calls __kcov(1) and __kcov\nseen = 1;": 1,
  "'__kcov'; seen = '__kcov(1)';": "__kcov(1)",
  "function f(a, b = 2) { return a > b ? a : b; } seen = f(1);": 2,
  "seen = null ?? 5;": 5,
  "seen = [].concat([1])?.[0];": 1,
  "switch (seen = 3) { case 3: seen = 'three'; break; default: seen = 'other'; }": "three",
  "seen = ''; for (const x of ['a', 'b']) { if (x === 'b') seen += x; }": "b",
  "seen = 'abc'.startsWith('ab') && 'abc'.indexOf('c');": 2,
  "class A { x = 1; static y = 2; get z() { return this.x + A.y; } } seen = new A().z;": 3,
  "try { throw 1; } catch { seen = 'caught'; } finally { seen += '!'; }": "caught!",
  "with ({ a: 1 }) { seen = a; }": 1,
  "let { a = 7 } = {}; seen = a;": 7,
  "seen = `a${1 < 2}`;": "atrue",
};
for (const [source, expected] of Object.entries(PROGRAMS)) {
  standalone(`where nobody collects it does the same: ${JSON.stringify(source)}`, () => {
    const code = standaloneOf(source);
    assert.ok(code.includes("__kcov_cmp:"), "it has what its probes call");
    assert.equal(run(code), expected);
    assert.is(code.split("\n").length, source.split("\n").length, "no line is added");
  });
}

standalone("where probes are defined already those are called", () => {
  const hits: number[] = [];
  run(standaloneOf("seen = 1;"), { __kcov: (pc: number) => hits.push(pc >>> 0) });
  assert.equal(hits, [FIRST_PC]);
});

standalone("what is defined is neither seen nor changed", () => {
  const source = "__kcov = 7; seen = Object.keys(globalThis).join() + typeof __kcov";
  assert.is(run(`${standaloneOf("1;")}\n;${source}`), "seenfunction");
});

standalone("two scripts define it once", () => {
  const code = standaloneOf("seen = (seen ?? 0) + 1;");
  assert.is(run(`${code}\n${code}`), 2);
});

for (const source of ["", "\n"]) {
  standalone(`a script of ${source.length} characters without statements runs, too`, () => {
    assert.is(run(standaloneOf(source)), undefined);
  });
}

standalone("code without probes stays as it is", () => {
  assert.is(withPrelude({ code: "__kcov;", firstPc: FIRST_PC }), "__kcov;");
});

standalone.run();
