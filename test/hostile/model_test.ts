/**
 * Random calls of hostile clients, compared with a model of the kernel's kcov, while nothing hangs and nothing is
 * left. `HOSTILE_CALLS` is the number of calls of each worker, `HOSTILE_SEED` the seed: a failure prints it.
 */
import { type ChildProcess, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, Scene } from "../e2e/harness.ts";
import { COUNTS, DIRECT, FAULTS } from "../e2e/measures.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PROGRAM = join(ROOT, "dist/clients/hostile");
const CALLS = Number(process.env["HOSTILE_CALLS"] ?? 2000);
const SEED = process.env["HOSTILE_SEED"] ?? String(Date.now() % 1_000_000);
/** Of whom the last is an arena: see `arena.c`. */
const WORKERS = 3;
/** Kinds of calls to leave out, for who looks for the cause of a failure. */
const WITHOUT = process.env["HOSTILE_WITHOUT"] ?? "";
/** KiB by which the server's memory may grow. */
const GROWTH = 200_000;

/** What a server holds. */
interface Holdings {
  readonly descriptors: number;
  readonly threads: number;
  readonly memory: number;
  readonly files: string;
}

function compile(): void {
  const folder = join(ROOT, "test/hostile");
  const sources = readdirSync(folder).filter((file) => file.endsWith(".c"));
  mkdirSync(join(PROGRAM, ".."), { recursive: true });
  const flags = [
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pthread",
    "-o",
    PROGRAM,
  ];
  const { status, stderr } = spawnSync("cc", [...flags, ...sources], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`Cannot compile ${folder}: ${stderr}`);
}

function holdingsOf({ pid }: ChildProcess): Holdings {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const number = (name: string) =>
    Number(status.match(new RegExp(`^${name}:\\s*(\\d+)`, "m"))![1]);
  const list = (folder: string) => {
    try {
      return readdirSync(folder, { recursive: true, encoding: "utf8" });
    } catch {
      return [];
    }
  };
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: number("Threads"),
    memory: number("VmRSS"),
    files: [...list("/dev/shm"), ...list("/run/kcovfs")].sort().join(" "),
  };
}

/** What instances held is given back when their last descriptors are closed, which takes a moment. */
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
  if (more.hasTarget) {
    const { socket } = await scene.service("paths", { target: "paths" });
    const [{ id }] = JSON.parse((await scene.command("ps", "--json")).stdout);
    flags.push(
      "--target",
      "paths",
      "--number",
      String(id),
      "--service",
      socket,
    );
  }
  const run = (calls: number) => {
    const shared = [
      "--mount",
      scene.mount,
      "--seed",
      SEED,
      "--calls",
      String(calls),
    ];
    const sizes = [
      "--workers",
      String(WORKERS),
      "--arenas",
      "1",
      "--without",
      WITHOUT,
    ];
    return execute([PROGRAM, ...shared, ...sizes, ...flags], {
      timeout: 120_000 + calls * 20,
    });
  };
  // What the server starts when it is first needed stays.
  await run(200);
  const before = holdingsOf(server);
  const { status, stdout, stderr } = await run(CALLS);
  assert.is(stderr, "");
  assert.is(status, 0);
  const calls = Number(stdout.match(/^(\d+) calls$/m)![1]);
  assert.ok(calls >= WORKERS * CALLS, `${calls} calls`);
  const after = await settled(server, before);
  assert.is(after.descriptors, before.descriptors, "descriptors");
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

model.before(compile);

for (const [name, { options, flags }] of Object.entries(MEASURES)) {
  for (const hasTarget of [false, true]) {
    const target = hasTarget ? ", and of a target that is driven" : "";
    model(
      `${name}: random calls have the outcomes of the kernel's kcov${target}`,
      async () => {
        await check(options, { flags, hasTarget });
      },
    );
  }
}

model.run();
