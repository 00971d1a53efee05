import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, Scene, SERVICES } from "./harness.ts";
import { PATIENT } from "./measures.ts";

interface Context {
  scene: Scene;
  inputs: readonly string[];
  /** The server's process. */
  pid: number;
  /** The service's socket. */
  socket: string;
}

const large = suite<Context>("large areas");

const MIB = 1024;
/** Inputs of prettier that execute 50, 273, 458, 597, 1175, 1709, 3455 and 4085 blocks, or about that. */
const INPUTS = ["001", "002", "014", "006", "009", "004", "008", "059"];

large.before(async (context) => {
  compile("large_area");
  const scene = context.scene = new Scene();
  const folder = join(scene.folder, "inputs");
  const program = join(SERVICES, "inputs.cjs");
  const { status, stderr } = await execute([process.execPath, program, "prettier", folder]);
  assert.is(status, 0, stderr);
  context.pid = (await scene.serve(...PATIENT)).pid!;
  context.socket = (await scene.service("prettier")).socket;
  context.inputs = INPUTS.map((name) => join(folder, name));
});

large.after(async (context) => {
  await context.scene[Symbol.asyncDispose]();
});

/** The figures that a scenario of the client printed, by name. */
async function run(context: Context, scenario: string): Promise<Record<string, number>> {
  const { scene, inputs, socket } = context;
  const { status, signal, stdout, stderr } = await execute(
    [compile("large_area"), scene.kcov, socket, scenario, ...inputs],
    { timeout: 120_000 },
  );
  process.stdout.write(`${scenario}: ${stdout.trim()}\n`);
  assert.is(stderr, "");
  assert.is(status, 0, `${status} ${signal}`);
  return Object.fromEntries(
    Array.from(stdout.matchAll(/(\w+) (\d+)/g), ([, name, figure]) => [name, Number(figure)]),
  );
}

/** KiB of memory: now, and at most since {@linkcode forgetPeak}. */
function memoryOf(pid: number): { now: number; most: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (field: string) => Number(status.match(`${field}:\\s+(\\d+) kB`)![1]);
  return { now: read("VmRSS"), most: read("VmHWM") };
}

/** See `clear_refs` in Linux's `Documentation/filesystems/proc.rst`. */
function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** KiB that a process has read so far: a server reads the contents of its clients' pages. */
function readBy(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/io`, "utf8").match(/rchar: (\d+)/)![1]) / 1024;
}

large("areas of 2 words to 65,536 take in what there is room for", async (context) => {
  const { reads, full } = await run(context, "sizes");
  assert.ok(full > 100 && reads - full > 20, `${full} of ${reads} were full`);
});

large(
  "PCs begin behind any word, across the pages' borders, up to the last word",
  async (context) => {
    assert.ok((await run(context, "anywhere")).reads > 500);
  },
);

large("a client may sort, clear or overwrite its PCs where they are", async (context) => {
  const { most } = await run(context, "sorted");
  assert.ok(most > 3500, `${most} PCs lie on fewer than seven pages`);
});

large(
  "an area of 512 MiB that a client clears twice costs the server little memory",
  async (context) => {
    forgetPeak(context.pid);
    const before = memoryOf(context.pid).now;
    const readBefore = readBy(context.pid);
    await run(context, "cleared");
    const written = readBy(context.pid) - readBefore;
    assert.ok(written > 512 * MIB, `the kernel has written back ${written} KiB only`);
    const after = memoryOf(context.pid);
    process.stdout.write(`KiB before ${before}, at most ${after.most}, afterwards ${after.now}\n`);
    // Pages of zeros are not kept. The rest are buffers in use, 256 KiB a WRITE and 1 MiB a store ahead,
    // until they are collected as garbage.
    assert.ok(after.most - before < 128 * MIB, `${after.most - before} KiB more at most`);
    assert.ok(after.now - before < 64 * MIB, `${after.now - before} KiB more afterwards`);
  },
);

large.run();
