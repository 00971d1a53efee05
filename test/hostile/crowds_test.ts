/**
 * Many at a time: short targets, clients and targets, servers. By hand, as many as the issue has:
 *
 *     SHORT=300 TARGETS=16 SHARERS=4 node dist/test/hostile/crowds_test.js
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { targetEnvironment } from "../../src/cli/target_environment.ts";
import { assertLearned } from "../e2e/exact_loop.ts";
import { execute, finish, KCOVFS, lineWith, Scene, SERVICES } from "../e2e/harness.ts";
import { COUNTS, DIRECT, FAULTS, type Measure, PATIENT } from "../e2e/measures.ts";
import { isolate } from "./isolated.ts";
import { compileHostile, placesOf } from "./stress.ts";

isolate();

const crowds = suite("crowds");

const MEASURES: readonly (readonly [name: string, measure: Measure])[] = [
  ["that V8 counts", COUNTS],
  ["that probes write", DIRECT],
  ["that come by faults", FAULTS],
];
const MINUTE = 60_000;

crowds.before(() => {
  for (const client of ["stress", "gather"]) compileHostile(client);
});

function numberOf(variable: string, usual: number): number {
  return Number(process.env[variable] ?? usual);
}

/** The environment of a target of a scene's server, as `kcovfs run` makes it. */
async function environmentIn(scene: Scene, measure: Measure): Promise<NodeJS.ProcessEnv> {
  const control = await readlink(join(scene.mount, "kcovfs", "socket"));
  const collector = measure.options.includes("trace") ? "trace" : "v8";
  return targetEnvironment(control, { collector });
}

/** Programs of three lines, each a script of its own with its own number as exit status. */
function writePrograms(folder: string, count: number): string[] {
  mkdirSync(folder);
  return Array.from({ length: count }, (_, i) => {
    const file = join(folder, `program-${i}.cjs`);
    const lines = ["function choose(n) {", "  if (n < 0) return -1;", "  return n;", "}"];
    writeFileSync(file, `${lines.join("\n")}\nprocess.exitCode = choose(${i % 256});\n`);
    return file;
  });
}

/** The blocks that the function of each program executes: all but the return of a negative number. */
const EXECUTED = ["1.1,4.2", "2.24,4.1"];

async function assertAllGathered(measure: Measure, count: number): Promise<void> {
  await using scene = new Scene();
  const server = await scene.serve(...PATIENT, ...measure.options);
  const env = await environmentIn(scene, measure);
  const programs = writePrograms(join(scene.folder, "programs"), count);
  const client = scene.start([compileHostile("gather"), scene.kcov], { stdin: "pipe" });
  await lineWith(client, "enabled");
  const children = programs.map((program) =>
    spawn(process.execPath, [program], { env, stdio: ["ignore", "ignore", "inherit"] })
  );
  const statuses = await Promise.all(children.map(exitStatus));
  assert.equal(statuses, programs.map((_, i) => i % 256));
  client.stdin!.end();
  const { stdout, stderr } = await finish(client, 5 * MINUTE);
  assert.is(stderr, "");
  const places = scene.symbolize(stdout.split("\n")[1].split(" "));
  for (const program of programs) {
    const mine = places.filter((place) => place.startsWith(`${program}:`));
    const ranges = mine.map((place) => place.slice(program.length + 1));
    assert.equal(ranges.filter((range) => !isTopLevel(range)).sort(), EXECUTED, program);
  }
  assert.is(server.warnings(), "");
}

/** The end of a script's own block depends on the digits of its number. */
function isTopLevel(range: string): boolean {
  return range.startsWith("1.1,5.") || range.startsWith("1.1,6.");
}

async function exitStatus(child: ChildProcess): Promise<number | null> {
  const [status] = await once(child, "exit");
  return status as number | null;
}

async function assertShared(measure: Measure, plan: CrowdPlan): Promise<void> {
  const { targets, sharers, requests } = plan;
  await using scene = new Scene();
  const server = await scene.serve(...PATIENT, ...measure.options);
  const loops = await Promise.all(Array.from({ length: targets }, async (_, i) => {
    const { socket } = await scene.service("paths", { target: `target${i}` });
    return [`kcov.d/target${i}`, `kcov.d/target${i}`, requests, socket].join(":");
  }));
  const { status, signal, stdout, stderr } = await execute(
    [compileHostile("stress"), scene.mount, "1", ...loops],
    { timeout: 20 * MINUTE, env: { ...measure.env, SHARERS: String(sharers) } },
  );
  assert.is(stderr, "", placesOf(scene, stderr));
  assert.is(status, 0, `${signal}`);
  process.stdout.write(stdout.trim().split("\n").at(-1) + "\n");
  assert.is(server.warnings(), "");
}

interface CrowdPlan {
  readonly targets: number;
  /** Clients of each target. */
  readonly sharers: number;
  /** Requests of each client. */
  readonly requests: number;
}

for (const [name, measure] of MEASURES) {
  if (!name.includes(process.argv[2] ?? "")) continue;
  const short = numberOf("SHORT", 24);
  crowds(`blocks ${name} of ${short} short targets that start at once are all read`, async () => {
    await assertAllGathered(measure, short);
  });

  const targets = numberOf("TARGETS", 4);
  const sharers = numberOf("SHARERS", 4);
  const sentence = `${targets * sharers} clients on ${targets} targets find all blocks ${name}`;
  crowds(sentence, async () => {
    await assertShared(measure, { targets, sharers, requests: numberOf("REQUESTS", 40) });
  });
}

/** A server on a state folder that others use, too. */
interface Sibling {
  readonly mount: string;
  readonly child: ChildProcess;
  readonly measure: Measure;
}

async function startSibling(scene: Scene, measure: Measure, number: number): Promise<Sibling> {
  const mount = join(scene.folder, `mount-${number}`);
  mkdirSync(mount);
  const command = [KCOVFS, "mount", mount, "--state", scene.state, ...PATIENT, ...measure.options];
  const child = scene.start(command);
  await lineWith(child, "mounted on");
  return { mount, child, measure };
}

/** Runs a target of a sibling, and learns the blocks of its paths; returns the file with them. */
async function learnBy(scene: Scene, sibling: Sibling): Promise<string> {
  const { mount, measure } = sibling;
  const socket = `${mount}.socket`;
  const program = [process.execPath, join(SERVICES, "serve.cjs"), "paths", socket];
  const run = [KCOVFS, "run", "--mount", mount, "--name", "paths", "--"];
  await lineWith(scene.start([...run, ...program]), "ready");
  const learned = `${mount}.learned`;
  const { status, stderr } = await execute(
    [compileHostile("stress"), mount, "1", `kcov.d/paths:kcov.d/paths:20:${socket}`],
    { timeout: 5 * MINUTE, env: { ...measure.env, LEARNED: learned } },
  );
  assert.is(status, 0, stderr);
  return `${learned}-0`;
}

/** Scripts that only this sibling's targets run, while other siblings run theirs. */
async function runPrograms(scene: Scene, { mount }: Sibling): Promise<string[]> {
  const programs = writePrograms(`${mount}.programs`, 8);
  await Promise.all(programs.map(async (program, i) => {
    const run = [KCOVFS, "run", "--mount", mount, "--", process.execPath, program];
    const { status, stderr } = await finish(scene.start(run), 2 * MINUTE);
    assert.equal([status, stderr], [i, ""]);
  }));
  return programs;
}

async function assertOneTable(): Promise<void> {
  await using scene = new Scene();
  const siblings = await Promise.all(
    [COUNTS, DIRECT, FAULTS].map((measure, i) => startSibling(scene, measure, i)),
  );
  // All at once: they add to one table.
  const [files, programs] = await Promise.all([
    Promise.all(siblings.map((sibling) => learnBy(scene, sibling))),
    Promise.all(siblings.map((sibling) => runPrograms(scene, sibling))),
  ]);
  const learned = files.map((file) => readFileSync(file, "utf8"));
  assert.is(learned[1], learned[0], "trace has other PCs than v8");
  assert.is(learned[2], learned[0], "trace by faults has other PCs than v8");
  assertLearned(scene, files[0]);
  const all = await execute([KCOVFS, "symbolize", "-all", "--state", scene.state]);
  assert.is(all.stderr, "", "the table is whole");
  for (const program of programs.flat()) {
    assert.ok(all.stdout.includes(`${program}:`), `${program} has no PCs`);
  }
  const [first, ...others] = [...siblings];
  // One of them is killed in the middle of its work; the others must lose nothing.
  first.child.kill("SIGKILL");
  const known = new Set(pairsOf(all.stdout));
  for (const { mount } of others) {
    const symbols = pairsOf(readFileSync(join(mount, "kcovfs", "symbols"), "utf8"));
    assert.ok(symbols.length > 0);
    assert.equal(symbols.filter((pair) => !known.has(pair)), [], mount);
  }
}

/** PCs and their places. */
function pairsOf(symbols: string): string[] {
  return symbols.match(/^0x\w+\n.*$/gm) ?? [];
}

const ONE_TABLE = "three servers on one state folder give each script one set of PCs";
if (ONE_TABLE.includes(process.argv[2] ?? "")) crowds(ONE_TABLE, assertOneTable);

crowds.run();
