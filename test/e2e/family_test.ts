/** Worker threads, child processes and clusters that a target starts come and go with it. */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rounds } from "../rounds.ts";
import { compile, execute, KCOVFS, NODES, Scene } from "./harness.ts";
import { PATIENT } from "./measures.ts";
import { executedTexts, textsInPaths } from "./path_blocks.ts";

const family = suite("families of targets");

/** The program, which is not compiled. */
const ONCE = fileURLToPath(new URL("../../../test/e2e/once.cjs", import.meta.url));
/** Each path must be there. */
const THREADS = rounds(64, { long: 128 });
const PROCESSES = rounds(64, { long: 200 });
const PATHS = Array.from({ length: 64 }, (_, path) => path);

family.before(() => {
  compile("short_lived");
});

/** Has a client start a program of `once.cjs` and read, after its end, which paths it executed. */
async function readOf(
  scene: Scene,
  { node = process.execPath, args }: { node?: string; args: readonly string[] },
): Promise<string[]> {
  const client = [compile("short_lived"), scene.kcov, "1", "1", node, ONCE, ...args];
  const command = [KCOVFS, "run", "--mount", scene.mount, "--name", "family", "--", ...client];
  const { status, stdout, stderr } = await execute(command, { timeout: 240_000 });
  assert.equal([status, stderr], [0, ""]);
  const [, statuses, , ...pcs] = stdout.trim().split(" ");
  assert.is(statuses, "0");
  return textsInPaths(scene.symbolize(pcs)).sort();
}

for (
  const [place, names] of [
    ["worker", ["paths", "paths.server"]],
    ["relay", ["paths", "paths.in_worker"]],
    ["child", ["paths", "paths.in_worker"]],
    ["cluster", [
      "paths",
      ...["", "-2", "-3", "-4"].map((suffix) => `paths.in_worker${suffix}`),
    ]],
  ] as const
) {
  family(`targets of a ${place} are named after the one that started them`, async () => {
    await using scene = new Scene();
    await scene.serve();
    const { child, pid } = await scene.service("paths", { place });
    const targets = await scene.targets();
    assert.equal(targets.map(({ name }) => name), names);
    const isThread = place === "worker" || place === "relay";
    assert.is(targets.every((target) => target.pid === targets[0].pid), isThread);
    if (isThread) assert.is(targets[1].parent, targets[0].id);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    process.kill(pid, "SIGTERM");
    await ended;
    // The server may learn of the end by the closing of a connection, so it is asked once more.
    const states = (await scene.targets()).map(({ state, note }) => `${state} ${note}`);
    if (place !== "child") {
      assert.ok(states.every((state) => state === "ended exited"), `${states}`);
    }
  });
}

for (const [name, node] of Object.entries(NODES)) {
  family(`what ${THREADS} worker threads of ${name} did at once is read`, async () => {
    await using scene = new Scene();
    await scene.serve(...PATIENT);
    const read = await readOf(scene, { node, args: ["threads", String(THREADS)] });
    assert.equal(read, PATHS.flatMap(executedTexts).sort());
  });
}

/** The resources that a server holds. */
function holdings(scene: Scene, server: ChildProcess) {
  const folder = dirname(realpathSync(join(scene.mount, "kcovfs/socket")));
  return {
    descriptors: readdirSync(`/proc/${server.pid}/fd`).length,
    files: readdirSync(folder).sort(),
    threads: readdirSync(`/proc/${server.pid}/task`).length,
  };
}

function residentMiB(server: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "latin1"))![1]) /
    1024;
}

family(`${PROCESSES} child processes in a row are read and leave nothing behind`, async () => {
  await using scene = new Scene();
  const server = await scene.serve(...PATIENT);
  await readOf(scene, { args: ["spawns_in_a_row", "20"] });
  const before = { ...holdings(scene, server), memory: residentMiB(server) };
  const read = await readOf(scene, { args: ["spawns_in_a_row", String(PROCESSES)] });
  assert.equal(read, PATHS.flatMap(executedTexts).sort());
  const after = { ...holdings(scene, server), memory: residentMiB(server) };
  process.stdout.write(`${JSON.stringify(before)} ${JSON.stringify(after)}\n`);
  assert.equal({ ...after, memory: 0 }, { ...before, memory: 0 });
  assert.ok(after.memory - before.memory < 64, "MiB");
  const targets = await scene.targets();
  assert.ok(targets.length <= 16 && targets.every(({ state }) => state === "ended"));
  assert.ok(targets.slice(0, -1).every((target) => target.name === "family.once"));
  assert.is(server.warnings(), "");
});

family.run();
