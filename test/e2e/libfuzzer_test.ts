/** `kcovfs libfuzzer`, as a user has it: a target of six lines, one command, a finding. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, type Finished, KCOVFS, NODES, Scene } from "./harness.ts";

const libfuzzer = suite("libfuzzer");

/** ms; each takes seconds. */
const PATIENCE = 120_000;
const PACKAGE = "parse-pairs";

/** A package with a bug, as `npm i` would have put it there. */
function installPackage(folder: string): void {
  const place = join(folder, "node_modules", PACKAGE);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), JSON.stringify({ name: PACKAGE, main: "index.js" }));
  writeFileSync(
    join(place, "index.js"),
    `exports.parse = (text) => {
  const pairs = {};
  for (const pair of text.split(";")) {
    const [name, value] = pair.split("=");
    if (name === "") throw new SyntaxError("a name is missing");
    if (name[0] === "@" && name[1] === "!") pairs[name] = value.trim();
  }
  return pairs;
};
`,
  );
}

const TARGET = `import { parse } from "${PACKAGE}";
export function fuzz(data) {
  try {
    parse(data.toString("latin1"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
}
`;

/** A folder with a target in it. */
function folderWith(scene: Scene, files: Record<string, string>): string {
  const folder = join(scene.folder, "user");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** Runs `kcovfs` in a folder. */
function inFolder(folder: string, ...args: string[]): Promise<Finished> {
  return execute(["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, KCOVFS, ...args], {
    timeout: PATIENCE,
  });
}

libfuzzer("six lines and one command end with a finding, and the finding is replayed", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, { "target.mjs": TARGET });
  installPackage(folder);
  const found = await inFolder(
    folder,
    ...["libfuzzer", "target.mjs", "--state", scene.state, "--", "-seed=1"],
  );
  assert.is(found.status, 1, found.stderr);
  assert.match(found.stdout, /^== TypeError-\w{8}, after [\d,]+ executions, [\d.]+ s$/m);
  assert.match(found.stdout, /^TypeError: Cannot read properties of undefined/m);
  assert.match(found.stdout, /^ {4}at exports\.parse \(.*parse-pairs\/index\.js:6:/m);
  const [, replay] = /^replay: kcovfs (.*)$/m.exec(found.stdout)!;
  assert.not.match(found.stdout + found.stderr, /ERROR: libFuzzer/);
  const files = readdirSync(join(folder, "findings")).sort();
  assert.is(files.length, 2);
  assert.is(files[1], `${files[0]}.txt`);
  assert.match(readFileSync(join(folder, "findings", files[0]), "latin1"), /@!/);
  assert.match(readFileSync(join(folder, "findings", files[1]), "utf8"), /at exports\.parse/);

  const again = await inFolder(folder, ...replay.split(" "));
  assert.is(again.status, 1, again.stderr);
  assert.match(again.stdout, /^TypeError: Cannot read properties of undefined/m);
});

const FIXTURES = fileURLToPath(new URL("../../../test/fixtures/fuzz", import.meta.url));
/** By input of `planted.mjs`: the class that the bridge tells. */
const PLANTED: readonly (readonly [input: string, name: string])[] = [
  ["throw", "TypeError"],
  ["loop", "hang"],
  ["exit", "exit"],
  ["kill", "crash"],
  ["memory", "out-of-memory"],
  ["reject", "RangeError"],
  ["async", "EvalError"],
  ["read ../../kcovfs-canary", "path-traversal"],
];

libfuzzer(
  "a process that ends, loops or takes all memory is replaced; all are told at the end",
  async () => {
    await using scene = new Scene();
    const inputs = PLANTED.map(([input], i) => [`${i}`, input] as const);
    const folder = folderWith(scene, Object.fromEntries([...inputs, ["again", "throw"]]));
    const limits = ["--timeout", "1", "--max-memory", "150", "--keep-going"];
    const { status, stdout, stderr } = await inFolder(
      folder,
      ...["libfuzzer", join(FIXTURES, "planted.mjs"), ...inputs.map(([file]) => file), "again"],
      ...[...limits, "--state", scene.state],
    );
    assert.is(status, 1, stderr);
    const told = [...stdout.matchAll(/^== ([\w-]+)-[0-9a-f]{8}, after (\d+) executions/gm)];
    assert.equal(
      told.map(([, name, executions]) => [name, Number(executions)]),
      PLANTED.map(([, name], i) => [name, i + 1]),
    );
    assert.match(stdout, /at .*loops .*\(\/\S+planted\.mjs:/);
    assert.match(stdout, /^CAUSE +TIMES +FIRST AFTER +MESSAGE$/m);
    assert.match(stdout, /^TypeError-\w{8} +2 +1 +thrown$/m);
    assert.not.match(stderr, /ERROR: libFuzzer/);
    const kept = readdirSync(join(folder, "findings")).filter((name) => name.endsWith(".txt"));
    assert.is(kept.length, PLANTED.length);
  },
);

libfuzzer("TypeScript and a target for Jazzer.js are fuzzed as they are", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, {});
  const fuzz = (node: string, target: string) =>
    execute(
      [
        ...["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, node, KCOVFS, "libfuzzer"],
        ...[join(FIXTURES, target), "--state", scene.state, "--", "-seed=1"],
      ],
      { timeout: PATIENCE },
    );
  const typed = await fuzz(NODES["Node 24"], "typed.ts");
  assert.match(
    typed.stdout,
    /^TypeError: in TypeScript\n {4}at read \(\/\S+typed\.ts:8:/m,
    typed.stderr,
  );
  const jazzer = await fuzz(process.execPath, "jazzer.mjs");
  assert.match(jazzer.stdout, /^Error: told by done$/m, jazzer.stderr);
});

libfuzzer("only what is to guide is measured", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, { "target.mjs": TARGET });
  installPackage(folder);
  const measured = async (...args: string[]) => {
    // Guidance may find the bug even so.
    const normal = ["--expect", "TypeError", "--state", scene.state];
    const run = ["libfuzzer", "target.mjs", ...args, ...normal, "--", "-runs=50"];
    const { status, stderr } = await inFolder(folder, ...run);
    assert.is(status, 0, stderr);
    const report = await execute([KCOVFS, "report", "--state", scene.state]);
    return [/target\.mjs/.test(report.stdout), /index\.js/.test(report.stdout)];
  };
  assert.equal(await measured("--own-code"), [true, false]);
  assert.equal(await measured("--only", PACKAGE), [false, true]);
});

libfuzzer("what cannot be fuzzed is told in a line, with status 2", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, { "target.mjs": TARGET });
  const cases: [args: string[], said: RegExp][] = [
    [["missing.mjs"], /Cannot fuzz missing\.mjs: no such file/],
    [["target.mjs", "--only", "nothing"], /--only nothing: no such package in a node_modules of/],
    [["target.mjs"], /Cannot fuzz target\.mjs: Error: Cannot find package 'parse-pairs'/],
    [["target.mjs", "--expect", "a b"], /--expect 'a b' is neither a class nor a \/pattern\//],
    [["target.mjs", "--timeout", "0"], /--timeout takes a number from 0\.1 to 86400/],
  ];
  for (const [args, said] of cases) {
    const { status, stderr } = await inFolder(folder, "libfuzzer", ...args, "--state", scene.state);
    assert.match(stderr, said);
    assert.is(status, 2, stderr);
  }
});

libfuzzer("without clang, a line says what to install", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, { "target.mjs": TARGET });
  const env = { KCOVFS_CLANG: "/no/such/clang" };
  const line = ["sh", "-c", 'cd "$1" && exec "$0" libfuzzer target.mjs', KCOVFS, folder];
  const { status, stderr } = await execute(line, { env });
  assert.is(status, 2);
  assert.match(
    stderr,
    /^kcovfs: Cannot build the bridge to libFuzzer: there is no clang \(.*apt-get install clang/,
  );
});

libfuzzer("a budget that ends without a finding is status 0", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, { "target.mjs": "export function fuzz() {}\n" });
  const args = ["libfuzzer", "target.mjs", "--state", scene.state, "--", "-runs=200"];
  const { status, stdout, stderr } = await inFolder(folder, ...args);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^nothing found in \d+ executions/m);
});

libfuzzer.run();
