import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pickScripts } from "../../src/messages/script_slices.ts";

const slices = suite("agent/script_slices");

const script = (scriptId: string, url: string, functionName = "f") => ({
  scriptId,
  url,
  functions: [{
    functionName,
    ranges: [{ startOffset: 0, endOffset: 9, count: 1 }],
    isBlockCoverage: true,
  }],
});

/** The answer as V8 writes it. */
function answer(...scripts: object[]): string {
  return JSON.stringify({ id: 5, result: { result: scripts, timestamp: 1234.5 } });
}

function pick(
  scripts: object[],
  isWanted: (scriptId: string, isRuntime: boolean) => boolean,
): unknown {
  return JSON.parse(pickScripts(Buffer.from(answer(...scripts)), isWanted)!.toString());
}

const A = script("1", "file:///a.js");
const B = script("22", "file:///b.js");
const C = script("333", "node:internal/c");

slices("any choice of scripts is the JSON of these scripts, in order", () => {
  const all = [A, B, C, script("4", "")];
  for (let choice = 0; choice < 1 << all.length; choice++) {
    const chosen = all.filter((_, i) => choice >> i & 1);
    const ids = new Set(chosen.map(({ scriptId }) => scriptId));
    assert.equal(pick(all, (scriptId) => ids.has(scriptId)), chosen);
  }
});

slices("an answer without scripts is an empty list", () => {
  assert.equal(pick([], () => true), []);
});

slices("each script is asked about once, by its id and whether it is the runtime's own", () => {
  const asked: [string, boolean][] = [];
  const strange = script("5", "file:///node:/x.js");
  pick([A, C, B, strange, script("6", "nodes:x")], (scriptId, isRuntime) => {
    asked.push([scriptId, isRuntime]);
    return true;
  });
  assert.equal(asked, [["1", false], ["333", true], ["22", false], ["5", false], ["6", false]]);
});

slices("texts within the answer that look like its marks are no marks", () => {
  const evil = [
    script("1", '{"scriptId":"99","url":"node:x"'),
    script("2", "a.js", '{"scriptId":"98","url":"'),
    script("3", '"result":[', "]}"),
    script("4", '\\{"scriptId":"97', '],"timestamp":1}}'),
    script("5", "b.js", "]"),
  ];
  for (const { scriptId } of evil) {
    assert.equal(pick(evil, (id) => id === scriptId), evil.filter((s) => s.scriptId === scriptId));
  }
  assert.equal(pick(evil, () => true), evil);
});

slices("letters beyond ASCII stay as they are", () => {
  const other = script("1", "file:///größe/😀.js", "日本");
  assert.equal(pick([other, A], () => true), [other, A]);
});

slices("what is not such an answer is none", () => {
  const error = JSON.stringify({
    id: 5,
    error: { code: -32000, message: "Profiler is not enabled" },
  });
  assert.is(pickScripts(Buffer.from(error), () => true), undefined);
  assert.is(pickScripts(Buffer.from(JSON.stringify({ id: 5, result: {} })), () => true), undefined);
  assert.is(pickScripts(Buffer.from(""), () => true), undefined);
});

slices("what is to come first does, before nothing, too", () => {
  const first = '{"scriptId":"","url":"/a.js"}';
  const text = Buffer.from(JSON.stringify({ id: 1, result: { result: [A], timestamp: 1 } }));
  const pickAll = (isWanted: boolean) =>
    JSON.parse(pickScripts(text, () => isWanted, { first })!.toString());
  assert.equal(pickAll(true), [JSON.parse(first), A]);
  assert.equal(pickAll(false), [JSON.parse(first)]);
});

slices.run();
