import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type BlockTable, buildBlockTable } from "../../src/blocks/block_table.ts";
import { NOWHERE } from "../../src/blocks/range_walk.ts";
import { randomProgram } from "./random_program.ts";

const test = suite("blocks/block_table");

const SCRIPT = { isModule: false };
const MODULE = { isModule: true };

/** The text of each block of function `row`, except for its first; a block without text is `""`. */
function blocks(source: string, row: number, options = SCRIPT): string[] {
  const { firstBlock, blockStart, blockEnd } = buildBlockTable(source, options);
  const texts = [];
  for (let block = firstBlock[row] + 1; block < firstBlock[row + 1]; block++) {
    texts.push(source.slice(blockStart[block], blockEnd[block]));
  }
  return texts;
}

/** The text of each function. */
function functions(source: string, options = SCRIPT): string[] {
  const { functionStart, functionEnd } = buildBlockTable(source, options);
  return Array.from(functionStart, (start, row) => source.slice(start, functionEnd[row]));
}

function aliases(source: string): string[] {
  const { aliasStart, aliasEnd } = buildBlockTable(source, SCRIPT);
  return Array.from(aliasStart, (start, alias) => source.slice(start, aliasEnd[alias]));
}

const EXPRESSIONS: [construct: string, source: string, texts: string[]][] = [
  ["a conditional", "x = a ? b : c", ["? b", ": c"]],
  ["a chain of conditionals", "x = a?b:c?d:e", ["?b", ":c?d:e", "?d", ":e"]],
  ["parentheses and comments", "x = (a)/*?*/?/*:*/(b) : ((c))", ["?/*:*/(b)", ": ((c))"]],
  ["a chain of operators", "x = a && b && c", ["&& b", "&& c"]],
  ["mixed operators", "x = a || b && c", ["|| b && c", "&& c"]],
  ["a comment before an operator", "x = a /*||*/ || (b) || c", ["|| (b)", "|| c"]],
  ["optional links", "x = a?.b.c?.[d]?.(e)", ["?.b", "?.[d]", "?.(e)"]],
  ["defaults and logical assignments", "var {a = 1} = x; a ??= 1; (b = 2) => b", []],
];

for (const [construct, source, texts] of EXPRESSIONS) {
  test(`${construct}: each part that may be skipped is a block`, () => {
    assert.equal(blocks(source, 0), texts);
  });
}

const STATEMENTS: [construct: string, body: string, texts: string[]][] = [
  ["if", "if (a) b; c", ["b;", " c"]],
  ["if and else", "if (a) {b} else {c} d", ["{b}", " else {c}", " d"]],
  ["while", "while (a) {b} c", ["{b}", " c"]],
  ["do", "do {b} while (a); c", ["{b}", " while (a); c"]],
  ["for", "for (;;) b; c", ["b;", " c"]],
  ["for of", "for (var a of b) {c} d", ["{c}", " d"]],
  ["switch", "switch (a) {case 1: b; default: c} d", ["case 1: b;", "default: c", " d"]],
  ["try", "try {a} catch {b} finally {c} d", ["catch {b}", " ", "finally {c}", " d"]],
  ["a block", "{a} b", [" b"]],
  ["a jump", "return a; b", [" b"]],
  ["a labelled jump", "l: {break l; a} b", [" a}", " b"]],
  ["throw", "throw a\nb", ["\nb"]],
];

for (const [construct, body, texts] of STATEMENTS) {
  test(`${construct}: what follows is a block of its own, up to the function's brace`, () => {
    assert.equal(blocks(`function f() {${body}}`, 1), texts);
  });
}

test("await and yield are followed by a block, after the semicolon if that comes next", () => {
  assert.equal(blocks("async function f() {await a /*;*/ ; b}", 1), [" b"]);
  assert.equal(blocks("async function f() {(await a) + b}", 1), [") + b"]);
  assert.equal(blocks("function* f() {yield; yield* a\nb}", 1), [" yield* a", "\nb"]);
  assert.equal(blocks("await a; b", 0, MODULE), [" "]);
});

test("what only ends a function, block or case starts no block", () => {
  const last = ["if (a) {b}", "while (a) {b}", "{b}", "switch (a) {case 1: b}", "l: while (a) {b}"];
  for (const statement of last) {
    const texts = blocks(`function f() {${statement} ; function g() {}}`, 1);
    assert.is(texts.some((text) => text.includes("g")), false, statement);
  }
  assert.equal(blocks("function f() {for (;a;) {if (b) {c}} d}", 1), ["{if (b) {c}}", "{c}", " d"]);
});

test("what V8 wraps in a block of its own keeps the block after it", () => {
  assert.equal(blocks("function f() {for (let a;;) {b} }", 1), ["{b}", " "]);
  assert.equal(blocks("function f() {{for (let a;;) {b} }c}", 1), ["{b}", " }", "c"]);
  assert.equal(blocks("function f() {{switch (a) {case 1: let b} }c}", 1).at(-2), " }");
  assert.equal(blocks("function f() {{l: try {a} finally {b} }c}", 1).at(-2), " }");
  const derived = "class A extends B {constructor() {super(); if (a) {b} }}";
  assert.equal(blocks(derived, 1), ["{b}", " "]);
});

test("a function's range begins where V8 lets it begin", () => {
  assert.equal(functions("x = async () => a; async function* f() {}"), [
    "x = async () => a; async function* f() {}",
    "async () => a",
    "async function* f() {}",
  ]);
  assert.equal(functions("x = {get a() {}, b() {}, async *[c]() {}, d: function() {}}").slice(1), [
    "get a() {}",
    "b() {}",
    "async *[c]() {}",
    "function() {}",
  ]);
  assert.equal(
    functions("class A {static a() {} static() {} async static() {} static static() {}}").slice(1),
    [
      "a() {}",
      "() {}",
      "async static() {}",
      "static() {}",
    ],
  );
});

test("class members' initialisers are functions, under V8 11's ranges too", () => {
  const source = "class A {a = b ? 1 : 2; static c = d || 1; e() {} static {if (f) {g} h} ; i;}";
  assert.equal(functions(source).slice(1), [
    "a = b ? 1 : 2; static c = d || 1; e() {} static {if (f) {g} h} ; i",
    "static c = d || 1; e() {} static {if (f) {g} h}",
    "e() {}",
  ]);
  assert.equal(blocks(source, 1), ["? 1", ": 2"]);
  assert.equal(blocks(source, 2), ["|| 1", "{g}", " h"]);
  assert.equal(aliases(source), [source]);
  assert.equal(aliases("class A {static {} static a; static {}}"), ["static a; static {}"]);
});

test("a class without fields has no initialiser", () => {
  assert.equal(functions("class A {constructor() {} #a() {} get #b() {}}").length, 4);
});

test("sources of every goal are read", () => {
  const scripts = [
    "#!/usr/bin/env node\nvar await = 1; await\n? 1 : 2",
    "return new.target ? 1 : 2",
    "x = a <!-- comment\n--> comment\n ? 1 : 2",
    "with (let) yield ? 1 : 2",
    "super.a ? #b in c ? 1 : 2 : 3",
    "let a; let a; x = /(?<n>\\p{Unknown})|(?<n>)/v ? 1 : 2",
    "import.source('a') ? 1 : 2",
    "using a = b ? 1 : 2",
    "x = await a ? 1 : 2",
  ];
  for (const source of scripts) assert.ok(blocks(source, 0).length >= 2, source);
  const modules = [
    "import source a from 'b'; x = a ? 1 : 2",
    "import a from 'b' assert {type: 'json'}; x = a ? 1 : 2",
    "import source from 'b'; x = await source ? 1 : 2",
    "export {a as 'b'} from 'c' with {d: 'e'}; x = a ? 1 : 2",
    "x = a <!--b ? 1 : 2",
  ];
  for (const source of modules) assert.ok(blocks(source, 0, MODULE).length >= 2, source);
});

test("HTML-like comments hide tokens in scripts only", () => {
  assert.equal(blocks("x = a <!-- ? 1 : 2\n? 3 : 4", 0), ["? 3", ": 4"]);
  assert.equal(blocks("x = a\n--> ? 1 : 2\n? 3 : 4", 0), ["? 3", ": 4"]);
  assert.equal(blocks("x = a\n/*\n*/--> || 1\n|| 2", 0), ["|| 2"]);
});

test("what no goal fits is a SyntaxError of one line", () => {
  for (const options of [SCRIPT, MODULE]) {
    assert.throws(
      () => buildBlockTable('{"a": 1}\n}', options),
      (error: unknown) =>
        error instanceof SyntaxError && /^Cannot parse \w+ source: [^\n]+$/.test(error.message),
    );
  }
});

test("a source nested too deeply for the stack is a SyntaxError", () => {
  const source = `x = ${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  assert.throws(
    () => buildBlockTable(source, SCRIPT),
    (error: unknown) => error instanceof SyntaxError && error.message.endsWith("nested too deeply"),
  );
});

test("long chains need no stack", () => {
  const chain = (part: string, operator: string, times: number) =>
    Array.from({ length: times }, () => part).join(operator);
  assert.is(blocks(`x = ${chain("a", " + ", 100_000)}`, 0).length, 0);
  assert.is(blocks(`x = ${chain("a", " && ", 100_000)}`, 0).length, 99_999);
  assert.is(blocks(`x = ${chain("a && b", " || ", 20_000)}`, 0).length, 39_999);
  assert.is(blocks(`x = a${"?.b".repeat(20_000)}`, 0).length, 20_000);
  assert.is(blocks(`x = a${".b(c => d)".repeat(20_000)}`, 0).length, 0);
  assert.is(blocks(chain("if (a) {b}", " else ", 2_000), 0).length, 3_999);
  assert.is(blocks("if (a) {b} ".repeat(20_000), 0).length, 39_999);
});

test("the empty source has a top level and one block", () => {
  const table = buildBlockTable("", SCRIPT);
  assert.equal([...table.functionStart, ...table.functionEnd], [0, 0]);
  assert.equal([...table.firstBlock], [0, 1]);
});

/** The documented properties of every table. */
function assertWellFormed(table: BlockTable, source: string): void {
  const { length, functionStart, functionEnd, firstBlock, blockStart, blockEnd } = table;
  assert.is(length, source.length);
  assert.equal([functionStart[0], functionEnd[0]], [0, length]);
  assert.is(firstBlock.length, functionStart.length + 1);
  assert.is(firstBlock.at(-1), blockStart.length);
  for (let row = 0; row < functionStart.length; row++) {
    const [start, end] = [functionStart[row], functionEnd[row]];
    if (row > 0) assert.ok(functionStart[row - 1] <= start);
    if (row > 0 && functionStart[row - 1] === start) assert.ok(functionEnd[row - 1] >= end);
    assert.equal([blockStart[firstBlock[row]], blockEnd[firstBlock[row]]], [start, end]);
    for (let block = firstBlock[row] + 1; block < firstBlock[row + 1]; block++) {
      assert.ok(blockStart[block - 1] < blockStart[block]);
      assert.ok(blockStart[block] < blockEnd[block], `${row} ${block}`);
      assert.ok(blockEnd[block] <= end);
    }
  }
}

test("tables of random programs are well-formed and depend on the source alone", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { source, goal } = randomProgram(seed);
    const options = { isModule: goal === "module" };
    const table = buildBlockTable(source, options);
    assertWellFormed(table, source);
    assert.equal(buildBlockTable(source, options), table);
  }
});

const ENTRIES: [what: string, source: string, text: string][] = [
  ["a function: its parameters", "function a(b) {}", "(b) {}"],
  ["one without a name", "x = function(b) {}", "(b) {}"],
  ["its name and comments aside", "x = function/*(*/a/*(*/(b) {}", "(b) {}"],
  ["an async function", "x = async/*(*/function/*(*/(b) {}", "(b) {}"],
  ["a generator", "x = function/*(*/*/*(*/(b) {}", "(b) {}"],
  ["an async generator", "async function * a (b) {}", "(b) {}"],
  ["an arrow function: its start", "x = (b) => b", "(b) => b"],
  ["an arrow function of one parameter", "x = b => b", "b => b"],
  ["an async arrow function", "x = async (b) => b", "async (b) => b"],
  ["one in parentheses", "x = ((b) => b)", "(b) => b)"],
  ["a method", "x = {async */*(*/a(b) {}}", "(b) {}}"],
  ["an accessor with a computed name", "x = {get [y()]() {}}", "() {}}"],
  ["a constructor", "class a { constructor(b) {} }", "(b) {} }"],
  ["a private static method", "class a { static #b(c) {} }", "(c) {} }"],
  [
    "what initialises fields: the first of them",
    "class a { m; b = 1; c = 2 }",
    "m; b = 1; c = 2 }",
  ],
  ["what initialises a class", "class a { static {} static b = 1 }", "static {} static b = 1 }"],
];

for (const [what, source, text] of ENTRIES) {
  test(`where V8 is when it enters ${what}`, () => {
    const { functionEntry } = buildBlockTable(source, SCRIPT);
    assert.equal([functionEntry.length, source.slice(functionEntry[1])], [2, text]);
  });
}

test("a script is entered at its beginning, and a module, which is made and run, nowhere", () => {
  assert.is(buildBlockTable("/**/ a", SCRIPT).functionEntry[0], 0);
  assert.is(buildBlockTable("/**/ a", MODULE).functionEntry[0], NOWHERE);
});

const RESUMED: [what: string, source: string, isResumed: boolean][] = [
  ["generators, without yield too", "function* a() {}", true],
  ["generators that are methods", "x = { *a() {} }", true],
  ["async functions that await", "async () => await a", true],
  ["async functions that await in a loop", "async () => { for await (a of b); }", true],
  [
    "async functions that await in their parameters' functions only",
    "async (a = async () => 1) => a",
    false,
  ],
  ["no async functions that never await", "async () => { await1(); }", false],
  ["no functions in which others await", "() => async () => await 1", false],
  ["no other functions", "function a() {}", false],
];

for (const [what, source, isResumed] of RESUMED) {
  test(`resumed are ${what}`, () => {
    assert.is(buildBlockTable(source, SCRIPT).isResumed[1], isResumed ? 1 : 0);
  });
}

test.run();
