/** The model foresees what V8 makes of an edit. Here V8 is asked, too. */
import { once } from "node:events";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { outcomeOf, textDifferences, type TextFunction } from "../../src/live/edit_model.ts";
import { NODES } from "../e2e/harness.ts";

const model = suite("live, the model of edits");

/** So many functions of three lines, and the same with two of the lines changed. */
function texts(count: number): { text: string; newText: string } {
  const make = (first: string, second: (i: number) => string) =>
    Array.from(
      { length: count },
      (_, i) => `function f${i}(c) {${first}\n\treturn ${second(i)};\n}\n`,
    )
      .join("") + Array.from({ length: count }, (_, i) => `exports.f${i} = f${i};\n`).join("");
  return {
    text: make("", (i) => `c === ${i}`),
    newText: make(";hit(7);", (i) => `(hit(${i}),c === ${i})`),
  };
}

function functionsOf({ text, newText }: { text: string; newText: string }): TextFunction[] {
  const places = (of: string) =>
    [...of.matchAll(/\(c\)[^}]*}/g)].map(({ index, 0: found }) => ({
      start: index,
      end: index + found.length,
    }));
  const after = places(newText);
  return places(text).map(({ start, end }, i) => ({
    ...{ start, end, newStart: after[i].start, newEnd: after[i].end },
  }));
}

/** Has a Node change scripts, and tells by script which functions are as they were. */
const ASKED = `
const { Session } = require("node:inspector");
const session = new Session();
session.connect();
let id;
session.on("Debugger.scriptParsed", ({ params }) => { if (params.url.includes("subject")) id = params.scriptId; });
if (Number(process.versions.v8.split(".")[0]) >= 14) require("node:v8").setFlagsFromString("--inspector-live-edit");
session.post("Debugger.enable");
const outcomes = require("./texts.json").map(({ newText }, i) => {
  const exports = require("./subject" + i + ".cjs");
  session.post("Debugger.setScriptSource", { scriptId: id, scriptSource: newText });
  return Object.values(exports).flatMap((one, i) => String(one).includes("hit") ? [] : [i]);
});
console.log(JSON.stringify(outcomes));
`;

for (const [name, node] of Object.entries(NODES)) {
  model(`what V8 of ${name} loses is what is foreseen`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "kcovfs-model-"));
    try {
      const all = Array.from({ length: 20 }, (_, i) => texts(i + 1));
      for (const [i, { text }] of all.entries()) {
        writeFileSync(join(folder, `subject${i}.cjs`), text);
      }
      writeFileSync(join(folder, "texts.json"), JSON.stringify(all));
      writeFileSync(join(folder, "ask.cjs"), ASKED);
      const child = spawn(node, [join(folder, "ask.cjs")], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (text) => output += text);
      await once(child, "close");
      const foreseen = all.map((both) => [...outcomeOf(both, functionsOf(both)).lost]);
      assert.equal(JSON.parse(output), foreseen);
      assert.ok(foreseen.some((lost) => lost.length > 0));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

model("lines that differ are compared by characters where they are short", () => {
  const differ = (text: string, newText: string) =>
    textDifferences(text, newText).map(({ start, end, newStart, newEnd }) => [
      text.slice(start, end),
      newText.slice(newStart, newEnd),
    ]);
  assert.equal(differ("a\nbd\nc\n", "a\nb1d\nc\n"), [["", "1"]]);
  assert.equal(differ("same\n", "same\n"), []);
  const long = "x".repeat(900);
  assert.equal(differ(`a\n${long}\nb\n`, `a\n1${long}\nb\n`), [[`${long}\n`, `1${long}\n`]]);
});

model("a function that ends where something is put is lost, and one around it is changed", () => {
  const [text, newText] = ["f = (x) => x;\n", "f = (x) => (1,x);\n"];
  const { lost, changed } = outcomeOf({ text, newText }, [
    { start: 4, end: 12, newStart: 4, newEnd: 16 },
  ]);
  assert.equal([[...lost], [...changed]], [[0], [0, -1]]);
});

model.run();
