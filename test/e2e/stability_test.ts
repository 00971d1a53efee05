/**
 * The blocks that an input executes are a pure function of what ran: the same each time, and the same
 * after a restart. What varies all the same is named here, with its cause.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, finish, Scene, SERVICES } from "./harness.ts";

const stability = suite("stability");

const ROUNDS = 50;
const ROUNDS_AFTER_RESTART = 5;
/** ms: a machine that is too busy to run the service for seconds must not make a read lack its PCs. */
const PATIENCE = ["--collect-timeout", "20000"];

/** Runs at the same time: each keeps about one core busy. */
const PAIRS = [
  ["prettier", "js_yaml"],
  ["ajv", "marked"],
  ["express", "acorn"],
  ["zod", "lodash"],
];

/** A function of a library that does not execute the same blocks for the same input. */
interface Exception {
  readonly inputs: readonly number[];
  readonly file: string;
  readonly function: string;
  readonly cause: string;
}

const EXCEPTIONS: Record<string, Exception> = {
  lodash: {
    inputs: [8, 9, 30, 34, 39, 48, 65, 85, 88],
    file: "/node_modules/lodash/lodash.js",
    function: "shortOut",
    cause: "it counts the calls that are less than 16 ms apart, by the clock",
  },
};

/** What a client found: blocks that were not always executed, by input, as `file:line.column,line.column`. */
type Unstable = ReadonlyMap<number, readonly string[]>;

async function run(scene: Scene, name: string, rounds: number): Promise<[Unstable, string]> {
  const { socket, child } = await scene.service(name);
  const { status, stdout, stderr } = await execute(
    [
      compile("stability"),
      ...[scene.kcov, socket, join(scene.folder, "inputs"), String(rounds)],
      join(scene.folder, "sets"),
    ],
    { timeout: 300_000 },
  );
  assert.is(stderr, "", name);
  assert.is(status, 0, name);
  child.kill("SIGTERM");
  await finish(child);
  const lines = stdout.trim().split("\n");
  const unstable = new Map<number, string[]>();
  for (const line of lines.slice(0, -1)) {
    const [, input, pcs] = line.match(/^unstable (\d+) times \d+ pcs (.*)$/)!;
    unstable.set(Number(input), await scene.symbolize(pcs.split(" ")));
  }
  return [unstable, lines.at(-1)!];
}

/** All that varied is named in {@linkcode EXCEPTIONS}. */
function assertExplained(name: string, unstable: Unstable): void {
  if (unstable.size === 0) return;
  const exception = EXCEPTIONS[name];
  for (const [input, blocks] of unstable) {
    const where = `${name}, input ${input}: ${blocks.join(" ")}`;
    assert.ok(exception?.inputs.includes(input), where);
    for (const block of blocks) assert.ok(isWithin(exception, block), where);
  }
}

function isWithin(exception: Exception, block: string): boolean {
  const [, file, line, lastLine] = block.match(/^(.*):(\d+)\.\d+,(\d+)\.\d+$/)!;
  if (!file.endsWith(exception.file)) return false;
  const lines = readFileSync(file, "utf8").split("\n");
  const start = lines.findIndex((text) =>
    text.trim().startsWith(`function ${exception.function}(`)
  );
  const end = lines.indexOf(lines[start].match(/^ */)![0] + "}", start);
  return start >= 0 && Number(line) > start && Number(lastLine) <= end + 1;
}

async function checkLibrary(name: string): Promise<void> {
  await using scene = new Scene();
  const generated = await execute([
    process.execPath,
    join(SERVICES, "inputs.cjs"),
    name,
    join(scene.folder, "inputs"),
  ]);
  assert.is(generated.status, 0, generated.stderr);
  const server = await scene.serve(...PATIENCE);
  const [unstable, summary] = await run(scene, name, ROUNDS);
  server.kill("SIGTERM");
  assert.is((await finish(server)).status, 0);
  await scene.serve(...PATIENCE);
  const [changed, summaryAfter] = await run(scene, name, ROUNDS_AFTER_RESTART);
  process.stdout.write(`\n${name}: ${summary}; after a restart: ${summaryAfter}\n`);
  for (const found of [unstable, changed]) {
    for (const [input, blocks] of found) {
      process.stdout.write(`  input ${input}: ${blocks.join(" ")}\n`);
    }
    assertExplained(name, found);
  }
}

stability.before(() => {
  compile("stability");
});

for (const pair of PAIRS) {
  stability(`the inputs of ${pair.join(" and ")} execute the same blocks each time`, async () => {
    const outcomes = await Promise.allSettled(pair.map(checkLibrary));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  });
}

stability.run();
