/** `kcovfs afl`, as a user has it: a target of six lines, one command, a finding. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileFile, execute, type Finished, KCOVFS, Scene } from "./harness.ts";

const afl = suite("afl command");

/** ms; each takes seconds. */
const PATIENCE = 120_000;

/** Throws at `hi!`, and never ends at `hi` with more than five characters. */
const PLANTED = `export function fuzz(data) {
  const text = data.toString("latin1");
  if (text[0] !== "h" || text[1] !== "i") return;
  if (text[2] === "!") throw new TypeError("planted");
  if (text.length > 5) for (;;);
}
`;

/** Loops and branches, and nothing else: the same input takes the same way. */
const DETERMINISTIC = `export function fuzz(data) {
  let depth = 0;
  for (const byte of data) {
    if (byte === 0x28) depth++;
    else if (byte === 0x29 && depth > 0) depth--;
    else if (byte > 0x60) depth ^= byte & 7;
  }
  return depth;
}
`;

/** A folder with a target in it. */
function folderWith(scene: Scene, text: string): string {
  const folder = join(scene.folder, "user");
  mkdirSync(folder);
  writeFileSync(join(folder, "target.mjs"), text);
  return folder;
}

/** Runs `kcovfs afl` in a folder. */
function inFolder(
  folder: string,
  { args, env = {} }: { args: readonly string[]; env?: Record<string, string> },
): Promise<Finished> {
  return execute(
    ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, KCOVFS, "afl", ...args],
    { timeout: PATIENCE, env },
  );
}

function filesIn(...path: string[]): string[] {
  return readdirSync(join(...path)).filter((name) => name !== "README.txt").sort();
}

function statistic(folder: string, name: string): string | undefined {
  const text = readFileSync(join(folder, "afl", "default", "fuzzer_stats"), "utf8");
  return new RegExp(`^${name} *: (.*)$`, "m").exec(text)?.[1];
}

afl("six lines and one command end with a finding, which AFL++ has as a crash", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, PLANTED.replace("if (text.length > 5) for (;;);", ""));
  const args = ["target.mjs", "--state", scene.state, "--", "-s", "1", "-V", "60"];
  const { status, stdout, stderr } = await inFolder(folder, { args });
  assert.is(status, 1, stderr);
  assert.match(stderr, /no inputs to begin with: made seeds\/seed; /);
  assert.match(stdout, /^== TypeError-\w{8}, after [\d,]+ executions, [\d.]+ s$/m);
  assert.match(stdout, /^TypeError: planted\n {4}at fuzz \(\/\S+target\.mjs:4:/m);
  assert.match(stdout, /^replay: kcovfs run-input target\.mjs findings\/TypeError-\w{8}$/m);
  const [input, described, ...others] = filesIn(folder, "findings");
  assert.equal([described, others], [`${input}.txt`, []]);
  const [crash] = filesIn(folder, "afl", "default", "crashes");
  assert.match(crash, /sig:06/);
  const found = readFileSync(join(folder, "findings", input), "latin1");
  assert.is(readFileSync(join(folder, "afl", "default", "crashes", crash), "latin1"), found);
  assert.match(found, /^hi!/);
});

afl("a hang is a timeout to AFL++; it goes on after a crash and after a hang", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, PLANTED);
  mkdirSync(join(folder, "in"));
  for (const [i, seed] of ["a", "hihihi", "hi!", "hihihihi"].entries()) {
    writeFileSync(join(folder, "in", `${i}`), seed);
  }
  const args = [
    ...["-i", "in", "-o", "out", "target.mjs", "--timeout", "0.5", "--keep-going"],
    ...["--state", scene.state, "--", "-E", "8"],
  ];
  const { status, stdout, stderr } = await inFolder(folder, { args });
  assert.is(status, 1, stderr);
  assert.match(stdout, /^hang: no end after 0\.5 s of processor time\n {4}at fuzz \(\/\S+:5:/m);
  assert.match(stdout, /^TypeError: planted$/m);
  assert.match(stdout, /results in a timeout/);
  assert.match(stdout, /results in a crash/);
  assert.match(stdout, /^CAUSE +TIMES +FIRST AFTER +MESSAGE$/m);
  assert.is(filesIn(folder, "findings").length, 4, "two causes, two files each");
});

afl("the same input takes the same edges each time", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, DETERMINISTIC);
  const args = ["target.mjs", "--state", scene.state, "--", "-s", "1", "-E", "3000"];
  const { status, stdout, stderr } = await inFolder(folder, { args });
  assert.is(status, 0, stderr);
  assert.match(stdout, /^nothing found in [\d,]+ executions/m);
  assert.is(statistic(folder, "stability"), "100.00%");
  assert.ok(Number(statistic(folder, "edges_found")) > 8);
  assert.ok(Number(statistic(folder, "corpus_count")) > 3);
  assert.not.ok(existsSync(join(folder, "findings")));
});

const FORK_SERVER = fileURLToPath(
  new URL("../../../test/bridges/fork_server.c", import.meta.url),
);

afl(
  "edges keep their numbers when AFL++ starts the bridge anew, or the bridge a harness",
  async () => {
    await using scene = new Scene();
    const folder = folderWith(
      scene,
      `export function fuzz(data) {
  const text = data.toString();
  if (text[0] !== "a") return text === "x" ? 1 : 0;
  if (text[1] !== "b") return 2;
  if (text[2] !== "c") return 3;
  process.exit();
}
`,
    );
    const env = { KCOVFS_AFL_FUZZ: compileFile(FORK_SERVER) };
    const args = ["target.mjs", "--keep-going", "--state", scene.state];
    const { status, stdout, stderr } = await inFolder(folder, { args, env });
    assert.is(status, 1, stderr);
    const runs = [...stdout.matchAll(/^([12]) (warm|abc|ab|a|x) (\d+):(.*)$/gm)].map(
      ([, session, input, status, counters]) => ({ session, input, status, counters }),
    );
    assert.equal(runs.map(({ session }) => session).join(""), "111111122222", stdout);
    const first = new Map(
      runs.map(({ input, counters }) => [input, counters]).reverse() as [
        string,
        string,
      ][],
    );
    assert.is(new Set(first.values()).size, 5, "each input takes a way of its own");
    for (const { input, status, counters } of runs) {
      assert.is(counters, first.get(input), stdout);
      assert.is(status, input === "abc" ? "6" : "0");
    }
  },
);

afl("what cannot be fuzzed is told in a line, with status 2", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, 'import "nothing";\n');
  const cases: {
    readonly args: readonly string[];
    readonly env?: Record<string, string>;
    readonly said: RegExp;
  }[] = [
    {
      args: ["target.mjs"],
      env: { KCOVFS_AFL_FUZZ: "/no/such/afl-fuzz" },
      said:
        /^kcovfs: Cannot run AFL\+\+: there is no afl-fuzz \(on Debian: apt-get install afl\+\+\)/,
    },
    {
      args: ["target.mjs"],
      env: { KCOVFS_CC: "/no/such/cc" },
      said: /^kcovfs: Cannot build the bridge to AFL\+\+: there is no cc \(.*apt-get install gcc/,
    },
    { args: ["target.mjs", "-i", "none"], said: /Cannot read the seeds none: no such folder/ },
    { args: ["target.mjs"], said: /Cannot fuzz target\.mjs: Error: Cannot find package 'nothing'/ },
  ];
  for (const { args, env = {}, said } of cases) {
    const run = await inFolder(folder, { args: [...args, "--state", scene.state], env });
    assert.match(run.stderr, said);
    assert.is(run.status, 2, run.stderr);
  }
});

afl.run();
