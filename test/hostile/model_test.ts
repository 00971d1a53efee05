/**
 * Random calls of hostile clients, compared with a model of the kernel's kcov. Nothing may hang, and nothing
 * may be left. A failure prints the seed and the calls that led to it. By hand, with as many calls as wanted
 * of each worker, and with all ways to measure, with and without a target:
 *
 *     HOSTILE_CALLS=300000 HOSTILE_SEED=1 HOSTILE_ALL=1 node dist/test/hostile/model_test.js "counts of V8"
 */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileFile, execute, Scene } from "../e2e/harness.ts";
import { COUNTS, DIRECT, FAULTS } from "../e2e/measures.ts";
import { IS_LONG } from "../rounds.ts";
import { isolate } from "./isolated.ts";

isolate();

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Calls of each worker; without, as many as it can make in some seconds. */
const CALLS = Number(process.env["HOSTILE_CALLS"] ?? 0);
const SECONDS = 6;
/** Calls that must be made, however busy the machine is. */
const LEAST = CALLS || 50;
const SEED = Number(process.env["HOSTILE_SEED"] ?? Date.now() % 1_000_000);
/** The last of them is an arena: see `arena.c`. */
const WORKERS = 3;
/** Kinds of calls to leave out while looking for the cause of a failure. */
const WITHOUT = process.env["HOSTILE_WITHOUT"] ?? "";
/** A call that takes so many seconds hangs. */
const PATIENCE = 30;
/** KiB by which the server's memory may grow. */
const GROWTH = 200_000;

/** The resources that a server holds. */
interface Holdings {
  /** The targets of its descriptors, sorted. */
  readonly descriptors: string;
  readonly threads: number;
  readonly memory: number;
  readonly files: string;
}

function compileModel(): string {
  const folder = join(ROOT, "test/hostile");
  const others = readdirSync(folder).filter((file) => file.endsWith(".c") && file !== "main.c");
  return compileFile(join(folder, "main.c"), ...others.map((file) => join(folder, file)));
}

function descriptorsOf(pid: number): string {
  const folder = `/proc/${pid}/fd`;
  const links = readdirSync(folder).map((fd) => {
    try {
      return readlinkSync(join(folder, fd)).replace(/\d+/g, "N");
    } catch {
      return "closed";
    }
  });
  return links.sort().join("\n");
}

function holdingsOf({ pid }: ChildProcess): Holdings {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const number = (name: string) => Number(status.match(new RegExp(`^${name}:\\s*(\\d+)`, "m"))![1]);
  const list = (folder: string) => {
    try {
      return readdirSync(folder, { recursive: true, encoding: "utf8" });
    } catch {
      return [];
    }
  };
  return {
    descriptors: descriptorsOf(pid!),
    threads: number("Threads"),
    memory: number("VmRSS"),
    files: [...list("/dev/shm"), ...list("/run/kcovfs")].sort().join("\n"),
  };
}

/** Buffers of a target, where targets write into buffers of their own: one for PCs, one for comparisons. */
const BUFFERS = 2;
/** Calls are random, so the first may enable nothing of a kind. */
const MOST_ROUNDS = 20;

function buffersOf({ descriptors }: Holdings): number {
  return descriptors.split("/area-").length - 1;
}

/** The resources held when nothing has been released for a second. */
async function quiet(server: ChildProcess): Promise<Holdings> {
  let last = holdingsOf(server);
  for (let same = 0; same < 10;) {
    await sleep(100);
    const now = holdingsOf(server);
    same = now.descriptors === last.descriptors && now.files === last.files ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** Instances' resources are released when their last descriptors are closed, which takes a moment. */
async function settled(
  server: ChildProcess,
  before: Holdings,
): Promise<Holdings> {
  let after = holdingsOf(server);
  for (let i = 0; i < 100 && after.descriptors !== before.descriptors; i++) {
    await sleep(100);
    after = holdingsOf(server);
  }
  return after;
}

async function check(
  options: readonly string[],
  more: { flags: string[]; hasTarget: boolean },
) {
  await using scene = new Scene();
  const server = await scene.serve(...options);
  const flags = [...more.flags];
  const hasBuffers = more.hasTarget && flags.length > 0 &&
    !flags.includes("--direct");
  if (more.hasTarget) {
    const { socket } = await scene.service("paths", { target: "paths" });
    const [{ id }] = await scene.targets();
    flags.push(
      "--target",
      "paths",
      "--number",
      String(id),
      "--service",
      socket,
    );
  }
  const shared = ["--mount", scene.mount, "--without", WITHOUT];
  const run = (sizes: Record<string, number>) => {
    const numbers = Object.entries(sizes).flatMap((
      [name, size],
    ) => [`--${name}`, String(size)]);
    const timeout = ((sizes["duration"] ?? 0) + (sizes["calls"] ?? 0) / 20 + 4 * PATIENCE) *
      1000;
    const command = [
      compileModel(),
      ...shared,
      "--seconds",
      String(PATIENCE),
      ...numbers,
      ...flags,
    ];
    return execute(command, { timeout });
  };
  // Some of what the server makes at first use stays, such as a target's buffer for comparisons.
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const first = await run({ seed: SEED + round, calls: 150, workers: 2 });
    assert.equal([first.stderr, first.status], ["", 0]);
    if (!hasBuffers || buffersOf(await quiet(server)) === BUFFERS) break;
  }
  const before = await quiet(server);
  const amount = CALLS ? { calls: CALLS } : { calls: 1_000_000, duration: SECONDS };
  const { status, stdout, stderr } = await run({
    ...amount,
    seed: SEED,
    workers: WORKERS,
    arenas: 1,
  });
  assert.equal([stderr, status], ["", 0]);
  const calls = Number(stdout.match(/^(\d+) calls$/m)![1]);
  assert.ok(calls >= WORKERS * LEAST, `${calls} calls`);
  const after = await settled(server, before);
  assert.is(after.descriptors, before.descriptors);
  assert.is(after.threads, before.threads, "threads");
  assert.is(after.files, before.files);
  assert.ok(
    after.memory < before.memory + GROWTH,
    `${before.memory} KiB, then ${after.memory}`,
  );
  assert.is(server.warnings(), "");
}

const MEASURES = {
  "counts of V8": { ...COUNTS, flags: [] },
  "probes that write": { ...DIRECT, flags: ["--direct", "--comparisons"] },
  "probes that come by faults": { ...FAULTS, flags: ["--comparisons"] },
};

const model = suite("hostile clients");

model.before(() => void compileModel());

/** For every day: each way to measure, with a target. */
const TARGETS = IS_LONG || process.env["HOSTILE_ALL"] ? [false, true] : [true];

for (const [name, { options, flags }] of Object.entries(MEASURES)) {
  for (const hasTarget of TARGETS) {
    const target = hasTarget ? ", and of a target that is driven" : "";
    const title = `${name}: random calls have the outcomes of the kernel's kcov${target}`;
    if (!title.includes(process.argv[2] ?? "")) continue;
    model(title, () => check(options, { flags, hasTarget }));
  }
}

model.run();
