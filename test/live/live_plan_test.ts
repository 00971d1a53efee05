import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LivePlan, WINDOW } from "../../src/live/live_plan.ts";
import { liveScript } from "../../src/probes/live_script.ts";
import { prepare } from "../../src/probes/prepare.ts";

const plan = suite("live, the way of a script");

const SOURCE = `
function first(x) {
  if (x > 1) return 1;
  return 2;
}
function* second() {
  yield 1;
}
class Third {
  #field = 1;
  static other = 2;
  method() {
    return this.#field;
  }
}
const fourth = (a) => a ? 1 : 2;
`;

function start(source: string, isModule = false) {
  const script = liveScript(prepare(source, {}), { firstPc: 8 });
  return { script, plan: new LivePlan(source, script, { isModule }) };
}

/** Answers all texts; what it says to each. */
function follow(plan: LivePlan, answer: (text: string) => string = () => "Ok"): string[] {
  const texts: string[] = [];
  for (;;) {
    const next = plan.next(WINDOW.first);
    if (!next) return texts;
    texts.push(next.text);
    plan.answer(answer(next.text));
  }
}

plan("functions get probes, but not the top level, and not fields of classes", () => {
  const { plan } = start(SOURCE);
  follow(plan);
  assert.match(plan.current, /first\(x\) \{;__kcov\(/);
  assert.match(plan.current, /second\(\) \{;__kcov\(/);
  assert.match(plan.current, /method\(\) \{;__kcov\(/);
  assert.match(plan.current, /#field = 1;\n {2}static other = 2;/);
  assert.is(plan.current.startsWith("\nfunction"), true);
  assert.equal(plan.state.refused.map(({ status }) => status), ["ClassFields"]);
  assert.is(plan.state.done, plan.state.all);
});

plan("what is behind an arrow has probes before it alone", () => {
  for (
    const [body, probed] of [
      ["a", "K||a"],
      ["a ?? b", "K??a ?? K??b"],
      ["a && b", "K||a && !K&&b"],
      ["a || b", "K||a || K||b"],
      ["a ? b : c", "K||a ? (K,b) : K||c"],
      ["[a]", "K||[a]"],
    ]
  ) {
    const { plan } = start(`const a = 1, b = 1, c = 1;\nuse(() => ${body});\n`);
    follow(plan);
    const found = plan.current.split("\n")[1].replace(/__kcov\(-?\d+\)/g, "K");
    assert.is(found, `use(() => ${probed});`);
  }
});

plan("what an assignment is behind an arrow has none, which is told", () => {
  const { plan } = start("let a;\nuse((b) => a = b);\n");
  assert.equal(follow(plan), []);
  assert.equal(plan.state.refused.map(({ status }) => status), ["FunctionBoundary"]);
});

plan("probes are taken out until the source is left", () => {
  const { plan } = start(SOURCE);
  follow(plan);
  plan.turn(false);
  follow(plan);
  assert.is(plan.current, SOURCE);
  assert.not.ok(plan.isChanged);
});

plan("a function that waits is left out, and tried again", () => {
  const { plan } = start(SOURCE);
  let isWaiting = true;
  const answer = (text: string) =>
    isWaiting && /second\(\) \{;/.test(text) ? "BlockedByActiveGenerator" : "Ok";
  follow(plan, answer);
  assert.match(plan.current, /first\(x\) \{;/);
  assert.match(plan.current, /second\(\) \{\n/);
  assert.equal(plan.state.refused.map(({ status }) => status).sort(), [
    "BlockedByActiveGenerator",
    "ClassFields",
  ]);
  isWaiting = false;
  assert.ok(plan.retry());
  follow(plan, answer);
  assert.match(plan.current, /second\(\) \{;/);
  assert.not.ok(plan.retry());
});

plan("of lines that V8 does not compare nothing is tried", () => {
  const { plan } = start(`function long(x) { return "${"x".repeat(900)}"; }\n`);
  assert.equal(follow(plan), []);
  assert.equal(plan.state.refused.map(({ status }) => status), ["LongLine"]);
});

plan("many small functions get their probes, whatever it takes", () => {
  const source = Array.from(
    { length: 60 },
    (_, i) => `function f${i}(c) {\n\treturn c === ${i} || c;\n}\n`,
  )
    .join("");
  const { plan } = start(source, true);
  const texts = follow(plan);
  assert.is(plan.state.done, plan.state.all);
  assert.ok(texts.length > 1 && texts.length < 20, `${texts.length} edits`);
});

plan("a script with tagged templates is left alone, unless they are String.raw", () => {
  assert.throws(() => start("const a = (x) => tag`b`;\n"), /tagged templates/);
  start("const a = (x) => String.raw`b`;\n");
});

plan.run();
