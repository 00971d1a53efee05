/** Runs a fuzzer's closed loop (`clients/exactness.c`), and checks the results. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { compile, execute, NODES, Scene } from "./harness.ts";
import { COUNTS, type Measure, PATIENT } from "./measures.ts";
import { executedTexts, textsInPaths } from "./path_blocks.ts";

const PATHS = 64;

/** A client's loop. */
export interface Loop {
  readonly kcov: string;
  /** The service's socket. */
  readonly socket: string;
  readonly requests: number;
  /** Whether other clients use the service, so that other paths may be there, too. */
  readonly isShared?: boolean;
  /** A file for the PCs that the client learned. */
  readonly learned?: string;
  /** @default {COUNTS} */
  readonly measure?: Measure;
}

/** All of a client's reads were exact. */
export async function assertExact(
  { kcov, socket, requests, isShared, learned, measure = COUNTS }: Loop,
): Promise<void> {
  const command = [compile("exactness"), kcov, socket, String(requests)];
  if (isShared) command.push("shared");
  const { status, signal, stdout, stderr } = await execute(command, {
    timeout: 300_000,
    env: { ...measure.env, ...(learned && { LEARNED: learned }) },
  });
  process.stdout.write(stdout);
  assert.is(stderr, "");
  assert.match(stdout, `requests ${requests} wrong 0 `);
  assert.is(status, 0, `${status} ${signal}`);
}

/** Places where a service answers, in the words of sentences; see {@linkcode Scene.service}. */
export const PLACES: Readonly<Record<string, string>> = {
  main: "",
  worker: "a worker thread of ",
  relay: "a worker thread that answers for the main thread of ",
  child: "a child process of ",
  cluster: "a cluster of ",
};

/** A loop on a service of its own. */
export interface Plan {
  /** A key of {@linkcode NODES}. */
  readonly runtime: string;
  /** A key of {@linkcode PLACES}. @default {"main"} */
  readonly place?: string;
  readonly measure?: Measure;
  readonly requests: number;
  /** Whether both cores are kept busy meanwhile. */
  readonly isBusy?: boolean;
}

/** All of a client's reads are exact, with everything freshly started. */
export async function loopOn(
  { runtime, place = "main", measure = COUNTS, requests, isBusy }: Plan,
): Promise<void> {
  await using scene = new Scene();
  await scene.serve(...PATIENT, ...measure.options);
  const options = { node: NODES[runtime], ...(place !== "main" && { place }) };
  const { socket } = await scene.service("paths", options);
  if (isBusy) scene.keepBusy();
  await assertExact({ kcov: scene.kcov, socket, requests, measure });
}

/** If four clients use one service at once, each finds all of its own path. */
export async function fourLoops(
  requests: number,
  { place, measure = COUNTS }: { readonly place?: string; readonly measure?: Measure } = {},
): Promise<void> {
  await using scene = new Scene();
  await scene.serve(...PATIENT, ...measure.options);
  const { socket } = await scene.service("paths", place ? { place } : {});
  const files = [1, 2, 3, 4].map((client) => join(scene.folder, `learned-${client}`));
  const loop = { kcov: scene.kcov, socket, requests, isShared: true, measure };
  await Promise.all(files.map((learned) => assertExact({ ...loop, learned })));
  for (const file of files) assertLearned(scene, file);
}

/** The blocks that belong to one path alone are those that it executes, and no others. */
export async function learnOnce(measure: Measure): Promise<void> {
  await using scene = new Scene();
  await scene.serve(...PATIENT, ...measure.options);
  const { socket } = await scene.service("paths");
  const learned = join(scene.folder, "learned");
  await assertExact({ kcov: scene.kcov, socket, requests: 100, learned, measure });
  assertLearned(scene, learned);
}

/** The blocks that a client found to be each path's own are those that it executes, and no others. */
export function assertLearned(scene: Scene, file: string): void {
  const paths = readFileSync(file, "utf8").trim().split("\n");
  assert.is(paths.length, PATHS);
  const lines = scene.symbolize(paths.flatMap((pcs) => pcs.split(" ")));
  for (const [path, pcs] of paths.entries()) {
    const blocks = lines.splice(0, pcs.split(" ").length);
    assert.equal(textsInPaths(blocks), executedTexts(path), `path ${path}`);
    assert.is(blocks.length, executedTexts(path).length, `path ${path}`);
  }
}
