import { SourceMap } from "node:module";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { prepare } from "../../src/probes/prepare.ts";
import { randomProgram } from "../blocks/random_program.ts";

const test = suite("probes/prepare");

/** A map's entry for a place. */
interface Place {
  readonly originalLine: number;
  readonly originalColumn: number;
}

/** The source with probes for its blocks: `K1` for block 1, and `P2`, `S3`, `N4` for the other kinds. */
function blocks(source: string, isModule = false): string {
  const { emit } = prepare(source, { isModule });
  const { code } = emit({ firstPc: 0, url: "a.js", comparisons: false });
  const short: Record<string, string> = { "": "K", _pass: "P", _some: "S", _none: "N" };
  return code.replace(
    /__kcov(_\w+)?\((\d+)([,)])/g,
    (_, name, pc, end) => `${short[name ?? ""]}${pc / 8}${end === "," ? "(" : ""}`,
  );
}

const BLOCKS: [what: string, source: string, code: string][] = [
  ["the top level", "a", ";K0;a"],
  ["directives", "'use strict'\n'x';a", "'use strict'\n'x';;K0;a"],
  ["a hashbang", "#!node\na", "#!node\n;K0;a"],
  ["a hashbang and a directive", "#!node\n'use strict'", "#!node\n'use strict';K0;"],
  ["a comment like HTML's", "--> a\n<!-- b\nc", "--> a\n<!-- b\n;K0;c"],
  ["no statement", "// a", "// a\nK0;"],
  ["nothing", "", ""],
  ["a function", "function f() {'x'; a}", ";K0;function f() {'x';;K1; a}"],
  ["an arrow", "x = () => a", ";K0;x = () => (K1,a)"],
  ["an arrow's object", "x = () => ({})", ";K0;x = () => (K1,({}))"],
  ["if", "if (a) b\nelse c", ";K0;if (a) {K1;b}\nelse {K2;c}"],
  ["if with blocks", "if (a) {b} else {c} d", ";K0;if (a) {;K1;b} else {;K2;c};K3; d"],
  ["an empty else", "if (a) ; else ;", ";K0;if (a) {K1;;} else ;"],
  ["else if", "if (a) b; else if (c) d;", ";K0;if (a) {K1;b;} else {K2;if (c) {K3;d;}}"],
  ["while", "while (a) b; c", ";K0;while (a) {K1;b;};K2; c"],
  ["do", "do a\nwhile (b) c", ";K0;do {K1;a}\nwhile (b);K2; c"],
  [
    "do in a do",
    "do do a; while (b) while (c) d",
    ";K0;do {K1;do {K2;a;} while (b);K3;} while (c);K4; d",
  ],
  ["for", "for (;;) {a} b", ";K0;for (;;) {;K1;a};K2; b"],
  ["for in", "for (a in b) c", ";K0;for (a in b) {K1;c}"],
  [
    "a switch",
    "switch (a) {case 1: b; default: c} d",
    ";K0;switch (a) {case 1:;K1; b; default:;K2; c};K3; d",
  ],
  ["a label", "l: for (;;) break l; a", ";K0;l: for (;;) {K1;break l;};K2; a"],
  ["a label that is left at once", "l: break l; a", ";K0;l: break l; a"],
  ["try", "try {a} catch {b} c", ";K0;try {a} catch {;K1;b};K2; c"],
  [
    "try with all",
    "try {a} catch (e) {b} finally {c} d",
    ";K0;try{try {a} catch (e) {;K1;b};K2;} finally {;K3;c};K4; d",
  ],
  ["a conditional", "x = a ? b : c", ";K0;x = a ? (K1,b) : (K2,c)"],
  ["operators", "x = a && b || (c ?? d)", ";K0;x = a && (K1,b) || (K2,(c ?? (K3,d)))"],
  [
    "what ends at one place",
    "x = a ? b : c ? d : e",
    ";K0;x = a ? (K1,b) : (K2,c ? (K3,d) : (K4,e))",
  ],
  ["links", "a?.b?.[c].d", ";K0;S2(S1(a)?.b)?.[c].d"],
  ["private links", "class A {a() {a?.#b}}", ";K0;class A {a() {;K1;S2(a)?.#b}}"],
  [
    "optional calls",
    "a?.(); a.b?.(c); a.b?.(...c)",
    ";K0;S1(a)?.(); a.b?.((K2,c)); a.b?.(...(K3,c))",
  ],
  ["optional calls without arguments", "a.b?.( )", ";K0;a.b?.(...N1 )"],
  ["await", "await a; b", ";K0;P1(await a); b"],
  [
    "yield",
    "function* f() {yield; x = yield* a; b}",
    ";K0;function* f() {;K1;P2(yield); x = P3(yield* a); b}",
  ],
  [
    "words that would join",
    "function f() {return[a]?.b}",
    ";K0;function f() {;K1;return S2([a])?.b}",
  ],
  ["methods", "x = {a() {}, get b() {return 1}}", ";K0;x = {a() {;K1;}, get b() {;K2;return 1}}"],
  [
    "a derived constructor",
    "class A extends B {constructor() {super()}}",
    ";K0;class A extends B {constructor() {;K1;super()}}",
  ],
  ["fields", "class A {a; b = c}", ";K0;class A {a=void K1;; b = c}"],
  ["a field with a value", "class A {a = b; c = d}", ";K0;class A {a = (K1,b); c = d}"],
  [
    "a field that is a function",
    "class A {a = () => b}",
    ';K0;class A {a = (K1,{["a"]:() => (K2,b)}["a"])}',
  ],
  [
    "what is static",
    "class A {static a = b; static {c} static {d}}",
    ";K0;class A {static{K1}static a = b; static {c}static{K2} static {d}}",
  ],
  ["a with", "with (a) {if (b) c} d", ";K0;with (a) {if (b) c};K2; d"],
];

for (const [what, source, code] of BLOCKS) {
  test(`${what}: the probes stand where the blocks begin`, () => {
    assert.is(blocks(source, /await/.test(source)), code);
  });
}

/** The source with probes for its comparisons; each has the PC 0. */
function comparisons(source: string): string {
  const code = prepare(source, { isModule: false }).emit({ firstPc: 0, url: "a.js" }).code;
  return code.replace(/^;__kcov\(0\);/, "");
}

const COMPARISONS: [what: string, source: string, code: string][] = [
  ["a constant", "f() === 5", ";__kcov_const(0,f(),5) === 5"],
  ["a constant on the left", "x = '\"' != f()", 'x = \'"\' != __kcov_const(0,f(),"\\"")'],
  ["a negative constant", "x = f() < - 1", "x = __kcov_const(0,f(),-1) < - 1"],
  ["a template", "x = f() == `a`", 'x = __kcov_const(0,f(),"a") == `a`'],
  ["a bigint", "x = f() >= 0x1Fn", "x = __kcov_const(0,f(),31n) >= 0x1Fn"],
  ["a variable", "var a; x = a === b.c", "var a; x = a === __kcov_cmp(0,a,b.c)"],
  ["`this`", "x = this === b", "x = this === __kcov_cmp(0,this,b)"],
  ["anything", "x = a.b <= c.d", "x = (__kcov_t.v=a.b) <= __kcov_cmp(0,__kcov_t.v,c.d)"],
  ["what is not declared", "x = a > b", "x = (__kcov_t.v=a) > __kcov_cmp(0,__kcov_t.v,b)"],
  [
    "the beginning of a statement",
    "a\nb.c == d.e",
    "a\n;(__kcov_t.v=b.c) == __kcov_cmp(0,__kcov_t.v,d.e)",
  ],
  [
    "a switch",
    "switch (a, b) {case 1: case 'x': case c:}",
    "switch (__kcov_switch(0,(a, b),[1,\"x\"])) {case 1:;__kcov(8); case 'x':;__kcov(16); case c:;__kcov(24);}",
  ],
  [
    "cases that are not constant",
    "var a; switch (a) {case b.c:}",
    "var a; switch (a) {case __kcov_cmp(0,a,(b.c)):;__kcov(8);}",
  ],
  [
    "a method of strings",
    "x = a.b.startsWith(c, 1)",
    "x = (__kcov_t.v=a.b).startsWith(__kcov_text(0,0,__kcov_t.v,c), 1)",
  ],
  [
    "a constant that is sought",
    "var a; x = a.endsWith('b')",
    "var a; x = a.endsWith(__kcov_text(0,5,a,'b'))",
  ],
  [
    "a constant that is sought in",
    "x = 'ab'.includes(c)",
    "x = 'ab'.includes(__kcov_text(0,2,\"ab\",c))",
  ],
];

for (const [what, source, code] of COMPARISONS) {
  test(`${what}: what is compared is told`, () => {
    assert.is(comparisons(source), code);
  });
}

const UNTOLD: [what: string, source: string][] = [
  ["what is null or undefined", "x = [a == null, undefined === a, void 0 !== a]"],
  ["what is true or false", "x = [a === true, !a == b]"],
  ["types", "x = typeof a === 'string'"],
  ["objects", "x = [a === {}, [] == a, a !== /b/]"],
  ["two constants", "x = 1 === 2"],
  ["other operators", "x = [a + b, a in b, a instanceof b]"],
  ["a `switch` by nothing", "switch (true) {}"],
  ["methods of `super`", "x = {a() {super.includes(b)}}"],
  [
    "methods without arguments, or too many",
    "x = [a.includes(), a.indexOf(...b), a['includes'](c)]",
  ],
  ["methods in a chain", "x = a.b?.c.includes(d)"],
];

for (const [what, source] of UNTOLD) {
  test(`${what}: no comparison is told`, () => {
    const { emit } = prepare(source, {});
    const options = { firstPc: 0, url: "a.js" };
    assert.is(emit(options).code, emit({ ...options, comparisons: false }).code);
  });
}

test("a comparison has the PC of the innermost block that it is in", () => {
  const { emit } = prepare("x = a && (() => b == 1)", {});
  const { code } = emit({ firstPc: 0, url: "a.js" });
  assert.is(code, ";__kcov(0);x = a && (__kcov(8),(() => (__kcov(16),__kcov_const(16,b,1) == 1)))");
});

test("PCs are written as signed numbers of 32 bits", () => {
  const { emit } = prepare("x = a || b", {});
  const { code } = emit({ firstPc: 0x9abcde00, url: "a.js" });
  assert.is(code, ";__kcov(-1698898432);x = a || (__kcov(-1698898424),b)");
});

test("a source may be written again, with other PCs", () => {
  const { emit } = prepare("a", {});
  const codes = [8, 16].map((firstPc) => emit({ firstPc, url: "a.js" }).code);
  assert.equal(codes, [";__kcov(8);a", ";__kcov(16);a"]);
});

test("the table is that of the source", () => {
  for (let seed = 1; seed < 100; seed++) {
    const { goal, source } = randomProgram(seed);
    const options = { isModule: goal === "module" };
    assert.equal(prepare(source, options).table, buildBlockTable(source, options));
  }
});

const UNPROBED: [reason: string, source: string, block: number][] = [
  ["never counted", "if (a) b; else ;", 2],
  ["never counted", "", 0],
  ["never reached", "{for (;;) {break; a}}", 2],
  ["object scope", "with (a) b && c", 1],
  ["object scope", "with (a) x = () => b", 1],
  ["computed name", "class A {[a] = () => b}", 1],
];

for (const [reason, source, block] of UNPROBED) {
  test(`a block of \`${source}\` has no probe: ${reason}`, () => {
    assert.equal([...prepare(source, {}).unprobed], [[block, reason]]);
  });
}

test("in random programs, only what follows a jump and empty branches have no probe", () => {
  const reasons = new Set<string>();
  for (let seed = 1; seed < 300; seed++) {
    const { goal, source } = randomProgram(seed);
    const { unprobed } = prepare(source, { isModule: goal === "module" });
    for (const reason of unprobed.values()) reasons.add(reason);
  }
  assert.equal([...reasons].sort(), ["never counted", "never reached"]);
});

test("a source that has one of the probes' names itself is refused", () => {
  const sources = [
    "__kcov(1)",
    "var __kcov_t",
    "x = ({__kcov_pass}) => 1",
    "{ let a = __kcov_cmp }",
  ];
  for (const source of sources) {
    assert.throws(() => prepare(source, {}), /^Cannot put probes into the source: .* name __kcov/);
  }
  const { code } = prepare("a", {}).emit({ firstPc: 0, url: "a.js" });
  assert.throws(
    () => prepare(code, {}),
    /^Cannot put probes into the source: .* name __kcov itself$/,
  );
});

test("the names may stand in comments, strings and other names", () => {
  for (const source of ["// __kcov", "x = '__kcov'", "x = __kcovfs", "x = __kcov_other"]) {
    prepare(source, {});
  }
});

test("what cannot be parsed is a SyntaxError", () => {
  assert.throws(() => prepare("a (", {}), (error: unknown) => error instanceof SyntaxError);
});

test("the map leads from what is written to the source, line by line", () => {
  const source =
    "function first(a) {\n  return a?.second || third(a.fourth === 1 ? [fifth] : new Sixth());\n}";
  const { code, map } = prepare(source, {}).emit({ firstPc: 0, url: "file:///a.js" });
  const { version, sources, sourcesContent } = JSON.parse(map);
  assert.equal([version, sources, sourcesContent], [3, ["file:///a.js"], undefined]);
  const sourceMap = new SourceMap(JSON.parse(map));
  const lines = source.split("\n");
  for (const [line, text] of code.split("\n").entries()) {
    for (const { 0: word, index } of text.matchAll(/first|return|second|third|\[|fifth|new|}$/g)) {
      const { originalLine, originalColumn } = sourceMap.findEntry(line, index) as Place;
      assert.is(originalLine, line);
      assert.ok(lines[line].startsWith(word, originalColumn), word);
    }
  }
});

test.run();
