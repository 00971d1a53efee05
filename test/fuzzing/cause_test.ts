import { suite } from "uvu";
import * as assert from "uvu/assert";
import { causeOf, commonStack } from "../../src/fuzzing/cause.ts";
import { preview } from "../../src/fuzzing/findings.ts";
import { minimize } from "../../src/fuzzing/minimize.ts";

const cause = suite("fuzzing/cause");

const FOLDER = "/home/user/project";

function at(...frames: string[]): string[] {
  return frames.map((frame) => `    at ${frame}`);
}

function error(stack: string[], { message = "x", name = "TypeError" } = {}) {
  return { class: name, message, stack };
}

cause("messages and lines do not tell causes apart, functions and classes do", () => {
  const one = error(at(`parse (${FOLDER}/a.js:1:2)`, `fuzz (${FOLDER}/t.mjs:3:4)`));
  const other = error(at(`parse (${FOLDER}/a.js:9:9)`, `fuzz (${FOLDER}/t.mjs:3:4)`), {
    message: "y",
  });
  assert.is(causeOf(one, FOLDER), causeOf(other, FOLDER));
  assert.match(causeOf(one, FOLDER), /^TypeError-[0-9a-f]{8}$/);
  const elsewhere = error(at(`read (${FOLDER}/a.js:1:2)`, `fuzz (${FOLDER}/t.mjs:3:4)`));
  assert.is.not(causeOf(one, FOLDER), causeOf(elsewhere, FOLDER));
  assert.is.not(causeOf(one, FOLDER), causeOf({ ...one, class: "RangeError" }, FOLDER));
});

cause("a cause is the same in another folder", () => {
  const one = error(at(`parse (${FOLDER}/a.js:1:2)`));
  const other = error(at("parse (/elsewhere/a.js:1:2)"));
  assert.is(causeOf(one, FOLDER), causeOf(other, "/elsewhere"));
});

cause("Node's own frames do not count, and what lies deep does not", () => {
  const theirs = at(`a (${FOLDER}/a.js:1:1)`, `b (${FOLDER}/a.js:2:1)`, `c (${FOLDER}/a.js:3:1)`);
  const one = error([...at("Buffer.read (node:internal/buffer:1:1)"), ...theirs]);
  const other = error([...theirs, ...at(`d (${FOLDER}/a.js:4:1)`)]);
  assert.is(causeOf(one, FOLDER), causeOf(other, FOLDER));
});

cause("a recursion is the same however often, and wherever it ends", () => {
  const f = `f (${FOLDER}/a.js:1:1)`;
  const g = `g (${FOLDER}/a.js:2:1)`;
  const overflow = { name: "RangeError", message: "Maximum call stack size exceeded" };
  assert.is(
    causeOf(error(at(f, g, f, g), overflow), FOLDER),
    causeOf(error(at(g, f, g, f), overflow), FOLDER),
  );
  assert.is(causeOf(error(at(f, f, f, g)), FOLDER), causeOf(error(at(f, g)), FOLDER));
});

cause("the keys that an input chooses are no causes of their own", () => {
  const pollution = (key: string) => ({
    class: "prototype-pollution",
    message: `Object.prototype.${key} was added`,
    stack: [],
  });
  assert.is(causeOf(pollution("a"), FOLDER), causeOf(pollution("b"), FOLDER));
});

cause("a loop is where all looks have seen it", () => {
  const outer = ["fuzz (/t.mjs:1:1)", "loops (/a.js:5:5)"];
  const seen = [
    at("helper (/a.js:9:1)", "loops (/a.js:6:6)", outer[0]),
    at("other (/a.js:20:1)", "loops (/a.js:7:7)", outer[0]),
    at("loops (/a.js:5:5)", outer[0]),
  ];
  assert.equal(commonStack({ stacks: seen }), at("loops (/a.js:5:5)", outer[0]));
  assert.equal(commonStack({ stacks: [[], []] }), []);
});

cause("an input is shown on one line", () => {
  assert.is(preview(Buffer.from('a"\n\x00\xff\x7f', "latin1")), '"a\\"\\n\\x00\\xff\\x7f"');
  assert.match(preview(Buffer.alloc(100, 65)), /^"A{64}"\.\.\.$/);
});

cause("an input becomes as short and as plain as its cause lets it", async () => {
  const input = Buffer.from("some text <!bug> and more of it");
  const shortest = await minimize(input, async (candidate) => {
    await Promise.resolve();
    const text = Buffer.from(candidate).toString();
    return text.indexOf("<!") >= 0 && text.indexOf(">") > text.indexOf("<!") + 3;
  });
  assert.is(Buffer.from(shortest).toString(), "<!00>");
});

cause("it is not tried without end", async () => {
  let tries = 0;
  await minimize(Buffer.alloc(10_000, 65), () => Promise.resolve(++tries % 2 === 0), 50);
  assert.ok(tries <= 50, String(tries));
});

cause.run();
