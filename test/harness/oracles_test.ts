/** The parts of the harness that need no process: what is expected, what a shell runs, what was polluted. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { describeThrown } from "../../src/harness/describe_error.ts";
import { makeIsExpected } from "../../src/harness/expected.ts";
import { Prototypes } from "../../src/harness/prototypes.ts";
import { runsCanary } from "../../src/harness/sinks.ts";

const oracles = suite("harness/oracles");

class ParseError extends Error {}
class DeepError extends ParseError {}

oracles("a class that is expected stands for those that extend it", () => {
  const isExpected = makeIsExpected(["ParseError", "SyntaxError"]);
  assert.ok(isExpected(new ParseError("x")));
  assert.ok(isExpected(new DeepError("x")));
  assert.ok(isExpected(new SyntaxError("x")));
  assert.not(isExpected(new Error("x")));
  assert.not(isExpected(new TypeError("x")));
  assert.not(isExpected("ParseError"));
  assert.not(isExpected(null));
});

oracles("'Error' stands for itself alone", () => {
  const isExpected = makeIsExpected(["Error"]);
  assert.ok(isExpected(new Error("x")));
  assert.not(isExpected(new TypeError("x")));
  assert.not(isExpected(new ParseError("x")));
});

oracles("a name that an error gives itself counts, and so does a pattern of its message", () => {
  const named = Object.assign(new Error("bad token"), { name: "YAMLException" });
  assert.ok(makeIsExpected(["YAMLException"])(named));
  assert.ok(makeIsExpected(["/^bad TOKEN$/i"])(named));
  assert.ok(makeIsExpected(["/text/"])("a text is thrown"));
  assert.not(makeIsExpected(["/good/"])(named));
});

oracles("whatever is thrown can be told", () => {
  const hostile = new Proxy(new Error("x"), {
    get() {
      throw new Error("not to be looked at");
    },
  });
  assert.is(describeThrown("text").class, "thrown-string");
  assert.is(describeThrown(null).class, "thrown-null");
  assert.is(describeThrown(new DeepError("x")).class, "DeepError");
  assert.is(describeThrown(hostile).message, "");
  assert.is(describeThrown(Object.create(null)).class, "Error");
  assert.is(describeThrown(Object.assign(new Error("x"), { name: "../../x" })).class, "Error");
});

oracles("a canary that a shell would run is told from one that it hands over", () => {
  const run = [
    "kcovfs-canary",
    "  kcovfs-canary x",
    "echo a;kcovfs-canary",
    "echo a && kcovfs-canary",
    "echo $(kcovfs-canary)",
    "echo `kcovfs-canary`",
    'echo "$(kcovfs-canary)"',
    "echo 'a';kcovfs-canary;''",
    "echo a\nkcovfs-canary",
  ];
  const handed = [
    "echo kcovfs-canary",
    "echo ';kcovfs-canary'",
    'echo ";kcovfs-canary"',
    "echo a\\;kcovfs-canary",
    "echo '$(kcovfs-canary)'",
  ];
  for (const command of run) assert.ok(runsCanary(command), command);
  for (const command of handed) assert.not(runsCanary(command), command);
});

oracles("what is put into a prototype is seen, told with its stack, and taken out", () => {
  const prototypes = new Prototypes();
  assert.not(prototypes.mayHaveChanged);
  function pollute() {
    Object.assign(Object.prototype, { polluted: 1 });
  }
  pollute();
  assert.ok(prototypes.mayHaveChanged);
  const found = prototypes.check(pollute)!;
  assert.is(found.class, "prototype-pollution");
  assert.is(found.message, "Object.prototype.polluted was added");
  assert.match(found.stack.join("\n"), /pollute/);
  assert.not("polluted" in {});
  assert.not(prototypes.mayHaveChanged);
});

oracles("what an array inherits is seen, and a method that is replaced", () => {
  const prototypes = new Prototypes();
  const { toString } = Object.prototype;
  const pollute = () => {
    Object.assign(Array.prototype, { last: 1 });
    Object.assign(Object.prototype, { toString: 1 });
  };
  pollute();
  assert.ok(prototypes.mayHaveChanged);
  assert.is(
    prototypes.check(pollute)!.message,
    "Object.prototype.toString was changed, Array.prototype.last was added",
  );
  assert.is(Object.prototype.toString, toString);
  assert.not("last" in []);
});

oracles.run();
