/** By what `kcovfs libfuzzer` is guided: comparisons find magic bytes, a script's literals find its words. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, type Finished, KCOVFS, Scene } from "./harness.ts";

const guidance = suite("e2e/guidance");

/** Executions without guidance, which 2^64 would not be too many for. */
const MOST = 200_000;
/** With it: most often it takes a few thousand. A busy machine reads fewer comparisons beside them. */
const MOST_GUIDED = 2_000_000;
/** ms */
const PATIENCE = 180_000;
const OFF = { comparisons: "--no-comparisons", dictionary: "--no-dictionary" };

/** Eight bytes, compared one by one; no literal has them all. */
const MAGIC = `
const first = 0x89;
function at(i) {
  return (first + i * 0x35 ^ i * i * 7) & 0xff;
}
export function fuzz(data) {
  for (let i = 0; i < 8; i++) {
    if (data[i] !== at(i)) return;
  }
  throw new RangeError("the magic");
}
`;

/** A key of a table is looked up, which compares nothing. */
const KEYWORD = `
const COMMANDS = {
  transmogrify: (words) => words.missing.trim(),
};
export function fuzz(data) {
  for (const word of data.toString("latin1").split(/\\W+/)) {
    if (Object.hasOwn(COMMANDS, word)) COMMANDS[word]({});
  }
}
`;

/** Each process but the first is killed by an empty input, and loops for others. */
const FRAGILE = `
import { appendFileSync, existsSync } from "node:fs";
const isFirst = !existsSync("started");
appendFileSync("started", ".");
export function fuzz(data) {
  while (!isFirst && data.length > 0);
  if (!isFirst) process.kill(process.pid, "SIGKILL");
  for (const byte of data) if (byte > 0x7f) data.fill(0);
}
`;

/** Runs the command for a target in a folder of its own. */
async function fuzz(
  text: string,
  options: readonly string[],
  runs = MOST,
): Promise<Finished & { starts: number }> {
  await using scene = new Scene();
  const folder = join(scene.folder, "user");
  mkdirSync(folder);
  writeFileSync(join(folder, "target.mjs"), text);
  const run = ["libfuzzer", "target.mjs", "--state", scene.state, ...options];
  const bounds = ["-seed=1", `-runs=${runs}`];
  const finished = await execute(
    ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, KCOVFS, ...run, "--", ...bounds],
    { timeout: PATIENCE },
  );
  const starts = join(folder, "started");
  return { ...finished, starts: existsSync(starts) ? readFileSync(starts).length : 0 };
}

guidance("a magic of eight bytes is found by comparisons alone, and not without them", async () => {
  const guided = await fuzz(MAGIC, [OFF.dictionary], MOST_GUIDED);
  assert.is(guided.status, 1, guided.stderr);
  assert.match(guided.stdout, /^RangeError: the magic$/m);
  const blind = await fuzz(MAGIC, [OFF.comparisons, OFF.dictionary]);
  assert.is(blind.status, 0, blind.stdout + blind.stderr);
});

guidance("a key of a table is found by the script's words alone, and not without", async () => {
  const guided = await fuzz(KEYWORD, [OFF.comparisons]);
  assert.is(guided.status, 1, guided.stderr);
  assert.match(guided.stdout, /^TypeError: Cannot read properties of undefined/m);
  const blind = await fuzz(KEYWORD, [OFF.dictionary, OFF.comparisons]);
  assert.is(blind.status, 0, blind.stdout + blind.stderr);
});

guidance("the second process may end or loop: no finding, and no end of the run", async () => {
  const { status, stdout, stderr, starts } = await fuzz(FRAGILE, [OFF.dictionary]);
  assert.is(status, 0, stdout + stderr);
  assert.match(stdout, /^nothing found in /m);
  assert.ok(starts >= 3, `${starts} processes were started`);
});

guidance.run();
