/** Many closed loops at once. Each read is checked to the block; see `clients/stress.c`. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { assertLearned } from "../e2e/exact_loop.ts";
import { compileFile, execute, NODES, Scene } from "../e2e/harness.ts";
import type { Measure } from "../e2e/measures.ts";

const CLIENTS = fileURLToPath(
  new URL("../../../test/hostile/clients/", import.meta.url),
);

/** Compiles a client of `test/hostile/clients`; returns the program's path. */
export function compileHostile(name: string): string {
  return compileFile(join(CLIENTS, `${name}.c`));
}

/** The loop of a client's thread; its service is its own. */
export interface StressLoop {
  /** The target's file, as `kcov.d/NAME`. */
  readonly target: string;
  /** The file that is read: the target's file, or `kcov`. */
  readonly file: string;
  readonly socket: string;
}

/** One client's loops, each with a service of its own. */
type Client = readonly StressLoop[];

/** A loop on a target of its own, which it reads by the target's own file. */
async function alone(
  scene: Scene,
  target: string,
  node: string,
): Promise<StressLoop> {
  const { socket } = await scene.service("paths", { node, target });
  return { target: `kcov.d/${target}`, file: `kcov.d/${target}`, socket };
}

async function inWorker(
  scene: Scene,
  target: string,
  node: string,
): Promise<StressLoop> {
  const { socket } = await scene.service("paths", {
    node,
    target,
    place: "worker",
  });
  return {
    target: `kcov.d/${target}.server`,
    file: `kcov.d/${target}.server`,
    socket,
  };
}

/**
 * Whether some loops read `kcov`: yes unless `SHARED=0`. Then other clients' collections interrupt targets,
 * and targets write into one area.
 */
const IS_SHARED = process.env["SHARED"] !== "0";

/** A loop on a target of its own, which it reads by `kcov` unless `SHARED=0`. */
async function ofAll(
  scene: Scene,
  name: string,
  node: string,
): Promise<StressLoop> {
  return {
    target: `kcov.d/${name}`,
    file: IS_SHARED ? "kcov" : `kcov.d/${name}`,
    socket: await scene.copy(name, { node }),
  };
}

/**
 * Seven targets of three versions of Node, two of them worker threads. Two are read by `kcov`, which reports
 * all targets, unless `SHARED=0`.
 */
async function startClients(scene: Scene): Promise<Client[]> {
  const [node20, node24, node26] = Object.values(NODES);
  return [
    [await alone(scene, "main1", node20), await alone(scene, "main2", node24)],
    [
      await inWorker(scene, "worker1", node20),
      await inWorker(scene, "worker2", node26),
    ],
    [
      await ofAll(scene, "copy1", node20),
      await ofAll(scene, "copy2", node26),
      // It shares its files with the other clients' targets: this client knows their PCs, too.
      await alone(scene, "main3", node20),
    ],
  ];
}

/** A read by `kcov` takes as long as several by a target's own file. */
function weightOf({ file }: StressLoop): number {
  return file === "kcov" ? 1 : 4;
}

/** The places of the blocks whose PCs a text names, a line each. */
export function placesOf(scene: Scene, text: string): string {
  const pcs = [...new Set(text.match(/0x[0-9a-f]+/g) ?? [])];
  if (pcs.length === 0) return text;
  const places = scene.symbolize(pcs);
  return text + pcs.map((pc, i) => `${pc} ${places[i]}`).join("\n");
}

/** The clients to run. */
export interface StressPlan {
  readonly requests: number;
  readonly seed: number;
  readonly measure: Measure;
}

/**
 * Runs three clients of two or three threads each while both cores are busy. Checks that no read was stale,
 * foreign or incomplete, and that the clients have learned the blocks that the paths execute.
 */
export async function assertExactUnderStress(plan: StressPlan): Promise<void> {
  const { requests, seed, measure } = plan;
  await using scene = new Scene();
  const server = await scene.serve(
    "--collect-timeout",
    "60000",
    ...measure.options,
  );
  const clients = await startClients(scene);
  const whole = clients.flat().reduce((sum, loop) => sum + weightOf(loop), 0);
  scene.keepBusy();
  const ends = await Promise.allSettled(clients.map(async (loops, client) => {
    const learned = join(scene.folder, `learned${client}`);
    const args = loops.map((loop) => {
      const count = Math.ceil(requests * weightOf(loop) / whole);
      return [loop.target, loop.file, count, loop.socket].join(":");
    });
    const { status, signal, stdout, stderr } = await execute(
      [compileHostile("stress"), scene.mount, String(seed + client), ...args],
      { timeout: 3 * 3_600_000, env: { ...measure.env, LEARNED: learned } },
    );
    process.stdout.write(stdout);
    assert.is(stderr, "", placesOf(scene, stderr));
    assert.is(status, 0, `${signal}`);
    for (const i of loops.keys()) assertLearned(scene, `${learned}-${i}`);
  }));
  // Wait for all of them first, so that each prints its result.
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  assert.is(server.warnings(), "");
}
