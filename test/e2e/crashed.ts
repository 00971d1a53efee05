/** Checks for the tests of crashes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { assertExact } from "./exact_loop.ts";
import { type Scene, SERVICES } from "./harness.ts";

/** All is well: a client finds each of its paths. */
export async function assertWell(scene: Scene, socket: string): Promise<void> {
  await assertExact({ kcov: scene.kcov, socket, requests: 300 });
}

/** A function of `stuck.cjs` is among the blocks. */
export function assertRan(blocks: readonly string[], name: string): void {
  const file = join(SERVICES, "stuck.cjs");
  const lines = readFileSync(file, "utf8").split("\n");
  const line = lines.findIndex((text) => text.startsWith(`function ${name}(`)) + 1;
  assert.ok(blocks.some((block) => block.startsWith(`${file}:${line}.`)), blocks.join("\n"));
}
