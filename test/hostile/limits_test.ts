/** Few descriptors, little memory, and a clock that jumps. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assertExact, assertLearned } from "../e2e/exact_loop.ts";
import { compile, execute, Scene } from "../e2e/harness.ts";
import { COUNTS, DIRECT, FAULTS, type Measure } from "../e2e/measures.ts";
import { isolate } from "./isolated.ts";
import { compileHostile } from "./stress.ts";

isolate();

const limits = suite("limits");

const MEASURES: readonly (readonly [name: string, measure: Measure])[] = [
  ["that V8 counts", COUNTS],
  ["that probes write", DIRECT],
  ["that come by faults", FAULTS],
];
const CLOCK = fileURLToPath(new URL("../../../test/hostile/clients/clock.c", import.meta.url));

limits.before(() => {
  compileHostile("opener");
  compile("exactness");
});

/** Builds a library that makes the time of day jump; returns its path. */
function buildClock(scene: Scene): string {
  const library = join(scene.folder, "clock.so");
  const args = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, CLOCK];
  const { status, stderr } = spawnSync("cc", args, { encoding: "utf8" });
  assert.is(status, 0, stderr);
  return library;
}

/** Leaves a process so many descriptors more than it has; the numbers of those may have gaps. */
function limitDescriptors(pid: number, more: number): void {
  const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let limit = 0;
  for (let free = 0; free < more; limit++) if (!taken.has(limit)) free++;
  setDescriptors(pid, limit);
}

function setDescriptors(pid: number, limit: number): void {
  const { status, stderr } = spawnSync("prlimit", ["--pid", String(pid), `--nofile=${limit}:`], {
    encoding: "utf8",
  });
  assert.is(status, 0, stderr);
}

for (const [name, measure] of MEASURES) {
  if (!name.includes(process.argv[2] ?? "")) continue;

  limits(`a server of blocks ${name} that has few descriptors refuses, and recovers`, async () => {
    await using scene = new Scene();
    const server = await scene.serve(...measure.options);
    const { socket } = await scene.service("paths");
    limitDescriptors(server.pid!, 16);
    const { status, stdout, stderr } = await execute(
      [compileHostile("opener"), scene.kcov, "200", "4096"],
      { timeout: 60_000 },
    );
    assert.is(status, 0, stderr);
    const lines = stdout.trim().split("\n");
    const [first, second] = lines.map((line) => {
      assert.match(line, /^opened (?:200 then nothing|\d+ then (?:EMFILE|ENFILE|ENOMEM))$/);
      return Number(line.split(" ")[1]);
    });
    // Other code may have had one for a moment.
    assert.ok(second >= first - 2, `what was closed is free again: ${lines.join(", ")}`);
    await assertExact({ kcov: scene.kcov, socket, requests: 200, measure });
    assert.is(server.exitCode, null);
  });

  limits(`a server that runs out of descriptors misses no block ${name} later`, async () => {
    for (const free of [3, 5, 7]) {
      await using scene = new Scene();
      const server = await scene.serve(...measure.options);
      const { socket } = await scene.service("paths");
      limitDescriptors(server.pid!, free);
      // Scripts that nobody has counted yet become known now, unless no client can be served.
      await execute([compile("exactness"), scene.kcov, socket, "20"], { env: measure.env });
      setDescriptors(server.pid!, 1024);
      const learned = join(scene.folder, "learned");
      await assertExact({ kcov: scene.kcov, socket, requests: 200, measure, learned });
      await assertLearned(scene, learned);
    }
  });

  limits(`blocks ${name} are read exactly while the clocks of all jump`, async () => {
    await using scene = new Scene();
    const env = { LD_PRELOAD: buildClock(scene) };
    const server = await scene.serveWith({ env }, ...measure.options);
    const { socket } = await scene.service("paths", { env });
    await assertExact({
      ...{ kcov: scene.kcov, socket, requests: 500 },
      measure: { ...measure, env: { ...measure.env, ...env } },
    });
    assert.is(server.warnings(), "");
  });
}

limits("a client that has no memory for its area leaves the others alone", async () => {
  await using scene = new Scene();
  await scene.serve();
  const { socket } = await scene.service("paths");
  const poor = await execute([
    "prlimit",
    "--as=8000000",
    compile("exactness"),
    scene.kcov,
    socket,
    "1",
  ]);
  assert.is.not(poor.status, 0);
  await assertExact({ kcov: scene.kcov, socket, requests: 200 });
});

limits.run();
