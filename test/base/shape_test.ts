import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as v from "valibot";
import { check, checkJson, index, list, numbers, record, texts } from "../../src/base/shape.ts";

const shapes = suite("base/shape");

function refusal(schema: v.GenericSchema, value: unknown): string {
  try {
    check(schema, value);
    return "";
  } catch (error) {
    assert.is((error as Error).name, "ShapeError");
    return (error as Error).message;
  }
}

const SCHEMA = record({
  id: index,
  kind: v.picklist(["a", "b"]),
  names: v.exactOptional(texts),
  rows: v.exactOptional(list(record({ ok: v.boolean(), size: v.union([v.string(), index]) }))),
});

shapes("a refusal is one line that says what is wrong, and where", () => {
  const right = { id: 1, kind: "a" };
  const wrong: [unknown, string][] = [
    [undefined, "it must be an object, not undefined"],
    ["x\ny", 'it must be an object, not "x?y"'],
    [{ kind: "a" }, "id is missing"],
    [{ ...right, id: "1" }, 'id must be a number, not "1"'],
    [{ ...right, id: -1 }, "id must be a whole number from 0 on, not -1"],
    [{ ...right, id: 1.5 }, "id must be a whole number, not 1.5"],
    [{ ...right, id: 2 ** 53 }, `id must be a whole number, not ${2 ** 53}`],
    [{ ...right, kind: "c" }, 'kind must be "a" or "b", not "c"'],
    [{ ...right, names: "x" }, 'names must be a list, not "x"'],
    [{ ...right, names: ["x", []] }, "names.1 must be a text, not a list"],
    [{ ...right, rows: [{ ok: 1 }] }, "rows.0.ok must be true or false, not 1"],
    [
      { ...right, rows: [{ ok: true, size: null }] },
      "rows.0.size must be a text or a number, not null",
    ],
  ];
  for (const [value, reason] of wrong) assert.is(refusal(SCHEMA, value), reason);
  assert.is(refusal(numbers, [1, 2, "3"]), '2 must be a number, not "3"');
});

shapes("what a schema does not name is left out, and what it does is kept", () => {
  const value = { id: 1, kind: "a", names: ["x"], rows: [{ ok: true, size: "1" }] };
  assert.equal(check(SCHEMA, { ...value, more: 1 }), value);
  const text = '{"id":1,"kind":"a","__proto__":{"isAdmin":true}}';
  assert.equal(checkJson(SCHEMA, text), { id: 1, kind: "a" });
  assert.is(({} as { isAdmin?: boolean }).isAdmin, undefined);
});

shapes("nothing of any length, nor a control character, comes into the line", () => {
  const long = "\u001b[2J\u2028".repeat(1e6);
  assert.ok(refusal(SCHEMA, long).length < 100);
  assert.match(refusal(SCHEMA, { id: long }), /^[ -~]+$/);
  assert.match(refusal(v.record(v.string(), v.number()), { [long]: "" }), /^[ -~]+$/);
  assert.throws(() => checkJson(SCHEMA, `{"${long}`), /^it is no JSON$/);
});

shapes("a list of very many texts takes no longer to check than to parse", () => {
  const json = JSON.stringify(Array.from({ length: 2e5 }, (_, i) => `file:///${i}.js`));
  const parsing = performance.now();
  const value: unknown = JSON.parse(json);
  const checking = performance.now();
  check(texts, value);
  assert.ok(performance.now() - checking < checking - parsing);
});

shapes.run();
