import type { Node } from "acorn";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { parseSource, type ParseSourceOptions } from "../../src/blocks/parse_source.ts";

const test = suite("blocks/parse_source");

/** The goal that a source was parsed for, and its `await`s: `(call)`, `[index]` or their type. */
function read(source: string, options: ParseSourceOptions = {}): string {
  const program = parseSource(source, options);
  const found = kinds(program).filter((kind) => kind === "AwaitExpression" || kind === "call");
  return [program.sourceType === "module" ? "module" : "script", ...found].join(" ");
}

/** The types of all nodes, in order; `call` for a call of something named `await`. */
function kinds(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const { type, callee } = value as Node & { callee?: { type: string; name?: string } };
  const own = callee?.name === "await" ? "call" : type;
  return [...(own ? [own] : []), ...Object.values(value).flatMap(kinds)];
}

test("a source without a mark of either goal is a script", () => {
  for (const source of ["", "f()", "import('a')", "async () => {}", "awaiting (x)", "_await (x)"]) {
    assert.is(read(source), "script", source);
  }
});

test("imports and exports make a module, with or without an await", () => {
  const sources = ["import 'a'", "export {}", "import a from 'b'; a.await", "export default a"];
  for (const source of sources) assert.is(read(source), "module", source);
});

test("an await that may stand in a module is one", () => {
  for (const source of ["await (x)", "await x", "await [x]", "await\n(x)", "#!/node\nawait (x)"]) {
    assert.is(read(source), "module AwaitExpression", source);
  }
  assert.is(read("var a; await (x); for await (a of b) c"), "module AwaitExpression");
});

const SLOPPY: [what: string, source: string][] = [
  ["with", "with (a) b();"],
  ["a top-level return", "if (a) return;"],
  ["an octal number", "a = 0777;"],
  ["await as a name", "a = await;"],
];

for (const [what, source] of SLOPPY) {
  test(`${what}: the source is a script, and \`await (x)\` in it is a call`, () => {
    assert.is(read(`await (x); ${source}`), "script call");
  });
}

test("a CommonJS file with a return and async functions has awaits in these only", () => {
  const source = "exports.a = async () => { await (x); };\nif (module.parent) return;\n";
  assert.is(read(source), "script AwaitExpression");
  assert.is(read(`${source}await (y);`), "script AwaitExpression call");
});

test("`new.target` and `super` stand at the top level of scripts", () => {
  for (const source of ["new.target", "super.a"]) assert.is(read(source), "script", source);
});

test("what is known is not guessed", () => {
  assert.is(read("await (x)", { isModule: false }), "script call");
  assert.is(read("await (x)", { isModule: true }), "module AwaitExpression");
  assert.is(read("f()", { isModule: true }), "module");
  assert.throws(() => read("with (a) b", { isModule: true }), /^Cannot parse module source: /);
});

test("a script of a REPL's that awaits is read although it is known to be no module", () => {
  assert.is(read("x = await y", { isModule: false }), "module AwaitExpression");
});

test("the word alone, in a comment or a string, changes nothing", () => {
  for (const word of ["/* await */", "'await';", "a.await;", "({ await: 1 });"]) {
    assert.is(read(`${word} with (a) b`), "script", word);
    assert.is(read(`${word} export {}`), "module", word);
  }
});

test("the guess makes a block after a module's await, and none after a script's call", () => {
  const blocks = (source: string) => buildBlockTable(source).blockStart.length;
  assert.is(blocks("await (x); f();"), 2);
  assert.is(blocks("await (x); f(); with (a) b;"), 1);
});

test("a line end within a quoted string is part of it", () => {
  const program = parseSource(`a = "1\n2"; b = '\n\n'; c = "3";`, {});
  const values = JSON.stringify(program).match(/"value":"[^"]*"/g);
  assert.equal(values, ['"value":"1\\n2"', '"value":"\\n\\n"', '"value":"3"']);
});

test("a source has the blocks that it had before its separators became line ends", () => {
  const source = "var a = '\u2028' ? 1 : 2;\nif (a) { f('\u2029', \"\u2028\u2028\") } else g();\n";
  const told = source.replace(/[\u2028\u2029]/g, "\n");
  assert.equal(buildBlockTable(told), buildBlockTable(source));
});

test("line ends are part of strings in modules, too", () => {
  assert.is(read("import 'a'; b = '\n'; await (c)"), "module AwaitExpression");
  assert.is(read("await ('\n'); with (a) b"), "script call");
});

test("line ends in ten thousand strings take no longer than others", () => {
  const source = "function f(a) { return a ? '\n' : \"\n\" }\n".repeat(10_000);
  assert.is(buildBlockTable(source).functionStart.length, 10_001);
});

test("what ends within a string is no source, however it is read", () => {
  for (const source of ["a = 'x", "a = 'x\n", "a = '\n\n\n", "await ('\n"]) {
    assert.throws(
      () => parseSource(source, {}),
      (error: unknown) =>
        error instanceof SyntaxError &&
        /^Cannot parse \w+ source: Unterm[^\n]+$/.test(error.message),
    );
  }
});

test("what no goal fits is refused for the goal that was likelier", () => {
  assert.throws(() => parseSource("f(", {}), /^Cannot parse commonjs source: /);
  assert.throws(() => parseSource("export {}; f(", { isModule: true }), /^Cannot parse module /);
});

test("a source nested too deeply is refused once, for that", () => {
  const nested = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  for (const source of [nested, `await (${nested})`]) {
    assert.throws(
      () => parseSource(source, {}),
      (error: unknown) =>
        error instanceof SyntaxError && error.message.endsWith("nested too deeply"),
    );
  }
});

test.run();
