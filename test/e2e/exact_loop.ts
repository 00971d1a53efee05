/** Runs the closed loop that a fuzzer is (`clients/exactness.c`), and checks what it learned. */
import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { compile, execute, Scene } from "./harness.ts";
import { COUNTS, type Measure } from "./measures.ts";
import { executedTexts, textsInPaths } from "./path_blocks.ts";

const PATHS = 64;

/** A client's loop. */
export interface Loop {
  readonly kcov: string;
  /** The service's. */
  readonly socket: string;
  readonly requests: number;
  /** Other clients use the service, so that other paths may be there too. */
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

/** A loop on a service of its own. */
export interface Plan {
  readonly requests: number;
  /** Whether both cores are kept busy meanwhile. */
  readonly isBusy: boolean;
  /** See {@linkcode Scene.service}. */
  readonly place?: string;
  readonly measure?: Measure;
}

/** The same from a fresh start of everything. */
export async function loopOn(node: string, plan: Plan): Promise<void> {
  const { requests, isBusy, place, measure = COUNTS } = plan;
  await using scene = new Scene();
  await scene.serve(...measure.options);
  const { socket } = await scene.service("paths", { node, ...(place && { place }) });
  if (isBusy) scene.keepBusy();
  await assertExact({ kcov: scene.kcov, socket, requests, measure });
}

/** What a client found to be each path's own are the blocks that it executes, and no others. */
export async function assertLearned(scene: Scene, file: string): Promise<void> {
  const paths = readFileSync(file, "utf8").trim().split("\n");
  assert.is(paths.length, PATHS);
  const lines = await scene.symbolize(paths.flatMap((pcs) => pcs.split(" ")));
  for (const [path, pcs] of paths.entries()) {
    const blocks = lines.splice(0, pcs.split(" ").length);
    assert.equal(textsInPaths(blocks), executedTexts(path), `path ${path}`);
    assert.is(blocks.length, executedTexts(path).length, `path ${path}`);
  }
}
