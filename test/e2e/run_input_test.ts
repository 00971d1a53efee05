/** `kcovfs run-input`: the oracles of a harness in plain Node, each by a bug that is planted. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, type Finished, KCOVFS, NODES } from "./harness.ts";

const FIXTURES = fileURLToPath(new URL("../../../test/fixtures/fuzz", import.meta.url));
/** s of processor time, MB. */
const LIMITS = ["--timeout", "1", "--max-memory", "150"];

const runInput = suite<{ folder: string }>("run-input");

runInput.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "kcovfs-test-"));
});

runInput.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

/** Runs a target of the fixtures on an input. */
function run(
  folder: string,
  { target = "planted.mjs", input, args = [], runtime = [] }: {
    target?: string;
    input: string;
    args?: readonly string[];
    runtime?: readonly string[];
  },
): Promise<Finished> {
  const file = join(folder, `input-${input.replace(/\W/g, "_")}`);
  writeFileSync(file, input, "latin1");
  return execute([
    ...runtime,
    KCOVFS,
    "run-input",
    join(FIXTURES, target),
    file,
    ...LIMITS,
    ...args,
  ]);
}

/** By input: the class that is told, and what else. */
const BUGS: readonly (readonly [input: string, name: string, said: RegExp])[] = [
  ["throw", "TypeError", /^TypeError: thrown\n {4}at Object\.throw \(\/\S+planted\.mjs:35:/m],
  ["text", "thrown-string", /^thrown-string: a text$/m],
  ["reject", "RangeError", /^RangeError: rejected\n {4}at .*reject/m],
  ["timer", "URIError", /^URIError: from a timer\n/m],
  ["async", "EvalError", /^EvalError: late\n/m],
  ["never", "hang", /^hang: the promise is never settled$/m],
  ["sleep", "hang", /^hang: it waits/m],
  ["loop", "hang", /^hang: no end after 1 s.*\n(?: {4}at inner .*\n)? {4}at .*loops/m],
  ["regexp", "hang", /^hang: .*\n {4}at RegExp\.test/m],
  ["memory", "out-of-memory", /^out-of-memory: more than 150 MB\n.*at .*eats/m],
  ["burst", "out-of-memory", /^out-of-memory: /m],
  ["exit", "exit", /^exit: process\.exit\(3\)\n {4}at Object\.exit/m],
  ["kill", "crash", /^crash: the process was ended by SIGSEGV$/m],
  ["recurse", "RangeError", /^RangeError: Maximum call stack size exceeded\n {4}at .*recurse/m],
  [
    'pollute {"__proto__":{"x":1}}',
    "prototype-pollution",
    /^prototype-pollution: Object\.prototype\.x was added\n {4}at merge/m,
  ],
  [
    "read ../../kcovfs-canary",
    "path-traversal",
    /^path-traversal: readFileSync: \/kcovfs-canary\n/m,
  ],
  ["shell a;kcovfs-canary", "command-injection", /^command-injection: exec: echo a;kcovfs-canary/m],
];

for (const [input, name, said] of BUGS) {
  runInput(`'${input}' is told as ${name}`, async ({ folder }) => {
    const { status, stdout, stderr } = await run(folder, { input });
    assert.is(status, 1, stderr);
    assert.match(stdout, new RegExp(`^== ${name}-[0-9a-f]{8}, by `));
    assert.match(stdout, said);
  });
}

for (const input of ["", "fine", "within ../../kcovfs-canary", "quoted ;kcovfs-canary"]) {
  runInput(`'${input}' is no finding`, async ({ folder }) => {
    const { status, stdout, stderr } = await run(folder, { input });
    assert.match(stdout, /: no finding$/m, stderr);
    assert.is(status, 0);
  });
}

runInput("what is expected, and an oracle that is off, tell nothing", async ({ folder }) => {
  const cases: [input: string, ...args: string[]][] = [
    ["throw", "--expect", "TypeError"],
    ["async", "--expect", "/^late$/"],
    ["reject", "--without", "rejection"],
    ["throw", "--without", "exception"],
    ['pollute {"__proto__":{"x":1}}', "--without", "pollution"],
    ["kill", "--without", "exit"],
  ];
  for (const [input, ...args] of cases) {
    const { status, stdout } = await run(folder, { input, args });
    assert.is(status, 0, stdout);
  }
});

runInput("an input is minimised to its cause", async ({ folder }) => {
  const input = 'pollute {"a": [1, 2], "__proto__": {"longer": "than it need be"}}';
  const { stdout } = await run(folder, { input, args: ["--minimize"] });
  const [, file] = /^shortest: (\S+) /m.exec(stdout)!;
  const shortest = readFileSync(file, "latin1");
  assert.ok(shortest.length < 40, shortest);
  assert.match(shortest, /^pollute.*"__proto__":\{"/);
});

runInput(
  "a target for Jazzer.js runs as it is, as CommonJS and as an ES module",
  async ({ folder }) => {
    const old = await run(folder, { target: "jazzer.cjs", input: "abc\x07" });
    assert.match(old.stdout, /^Error: abc and 7$/m, old.stderr);
    for (const node of Object.values(NODES)) {
      const runtime = [node];
      const told = await run(folder, { target: "jazzer.mjs", input: "\x01", runtime });
      assert.match(told.stdout, /^Error: told by done$/m, told.stderr);
      assert.is((await run(folder, { target: "jazzer.mjs", input: "\x02", runtime })).status, 0);
    }
  },
);

runInput(
  "TypeScript is run by a Node that takes it, and refused by one that does not",
  async ({ folder }) => {
    const target = "typed.ts";
    const found = await run(folder, { target, input: "TS", runtime: [NODES["Node 24"]] });
    assert.match(found.stdout, /^TypeError: in TypeScript\n {4}at read \(\/\S+typed\.ts:8:/m);
    const refused = await run(folder, { target, input: "TS", runtime: [NODES["Node 20"]] });
    assert.is(refused.status, 2);
    assert.match(refused.stderr, /typed\.ts: Node 20\S+ takes no TypeScript; use Node 22\.18/);
  },
);

runInput("a module that cannot be fuzzed is told in a line", async ({ folder }) => {
  const cases: [target: string, said: RegExp][] = [
    ["without.mjs", /^kcovfs: Cannot load it: it exports no function 'fuzz'$/m],
    ["broken.mjs", /^kcovfs: Cannot load it: Error: Cannot find module .*nowhere\.mjs/m],
    ["ends.cjs", /^kcovfs: Cannot load it: the process ended with status 4$/m],
    ["missing.mjs", /^kcovfs: Cannot fuzz \S+missing\.mjs: no such file/m],
  ];
  for (const [target, said] of cases) {
    const { status, stderr } = await run(folder, { target, input: "x" });
    assert.match(stderr, said);
    assert.is(status, 2, stderr);
  }
});

runInput.run();
