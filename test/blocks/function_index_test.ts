import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { FunctionIndex } from "../../src/blocks/function_index.ts";

const test = suite("blocks/function_index");

const SCRIPT = { isModule: false };
const OUTER = 0;
const INNER = 1;

function indexOf(source: string): FunctionIndex {
  return new FunctionIndex(buildBlockTable(source, SCRIPT));
}

test("every function is found by its range and no other range is found", () => {
  const source = "f(() => { g(function () {}, a => b) }); ".repeat(500);
  const table = buildBlockTable(source, SCRIPT);
  const index = new FunctionIndex(table);
  table.functionStart.forEach((start, row) => {
    const end = table.functionEnd[row];
    assert.is(index.find(start, end), row);
    assert.is(index.find(start + 1, end), -1);
    assert.is(index.find(start, end + 1), -1);
  });
});

test("a class member's initialiser is found by V8 11's ranges too", () => {
  const source = "f(class { a = 1; static {} static b = 2 })";
  const index = indexOf(source);
  const find = (text: string) =>
    index.find(source.indexOf(text), source.indexOf(text) + text.length);
  assert.is(find("a = 1"), INNER);
  assert.is(find("class { a = 1; static {} static b = 2 }"), INNER);
  assert.is(find("static {} static b = 2"), 2);
  assert.is(find("static b = 2"), 2);
});

test("an entry of a function that shares its range with no other is that function's", () => {
  const index = indexOf("f(() => 1)");
  assert.is(index.resolve(index.find(2, 9), "", false), INNER);
  assert.is(index.resolve(index.find(0, 10), "", false), OUTER);
  assert.is(index.resolve(index.find(3, 4), "", false), -1);
});

test("in a source that is one function, a named entry is the function's", () => {
  const index = indexOf("function f() {}");
  assert.is(index.find(0, 15), OUTER);
  assert.is(index.resolve(OUTER, "", true), OUTER);
  assert.is(index.resolve(OUTER, "f", false), INNER);
});

test("in a source that is one arrow function, the last entry is the function's", () => {
  const index = indexOf("() => 1");
  assert.is(index.resolve(index.find(0, 7), "", true), OUTER);
  assert.is(index.resolve(index.find(0, 7), "", false), INNER);
});

test("in a source that is one class, an entry without a name is the top level's", () => {
  const index = indexOf("class A { a = 1 }");
  assert.is(index.resolve(index.find(0, 17), "", false), OUTER);
  assert.is(index.resolve(index.find(0, 17), "<instance_members_initializer>", false), INNER);
});

test.run();
