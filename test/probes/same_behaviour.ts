/** Runs sources with and without probes, in this process. */

import { createRequire } from "node:module";
import { compileFunction } from "node:vm";
import { prepare } from "../../src/probes/prepare.ts";

/** The PCs of the probes that were reached, in order. */
export const trace: number[] = [];

const { defineProbes } = createRequire(import.meta.url)(
  "../../../test/fixtures/programs/probes.cjs",
) as { defineProbes: (hit: (pc: number) => void) => void };

defineProbes((pc) => trace.push(pc));

/** The source with probes, whose PCs are the numbers of the blocks times 8. */
export function probed(source: string, options: { isModule?: boolean } = {}): string {
  return prepare(source, { isModule: false, ...options }).emit({ firstPc: 0, url: "a.js" }).code;
}

/** The value that the body of a function returns, or the error that it throws, as text. */
export async function resultOf(body: string): Promise<string> {
  try {
    return JSON.stringify(await compileFunction(body)());
  } catch (error) {
    return String(error);
  }
}

/** The value that a module exports as its default, or the error that it throws, as text. */
export async function defaultOf(source: string): Promise<string> {
  try {
    const url = `data:text/javascript,${encodeURIComponent(source)}`;
    const { default: value } = await import(url);
    return typeof value === "function" ? `function ${value.name}` : JSON.stringify(value);
  } catch (error) {
    return String(error);
  }
}
