/** The hundred inputs of a service (`clients/stability.c`): which of them do not execute the same again. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { compile, execute, finish, type Scene, SERVICES } from "./harness.ts";
import { COUNTS, type Measure } from "./measures.ts";

/** A client's result: blocks that were not always executed, by input, as `file:line.column,line.column`. */
export type Unstable = ReadonlyMap<number, readonly string[]>;

/** Writes a service's inputs to the place where {@linkcode runInputs} finds them. */
export async function writeInputs(scene: Scene, name: string): Promise<void> {
  const program = join(SERVICES, "inputs.cjs");
  const folder = join(scene.folder, "inputs");
  const { status, stderr } = await execute([process.execPath, program, name, folder]);
  assert.is(status, 0, stderr);
}

/**
 * Starts a service and runs its inputs, so many times. The first time in a scene notes the blocks that they
 * execute; from then on they must execute the same.
 *
 * @returns the differences, and the client's summary.
 */
export async function runInputs(
  scene: Scene,
  name: string,
  options: { rounds: number; measure?: Measure; node?: string },
): Promise<[Unstable, string]> {
  const { rounds, measure = COUNTS, node } = options;
  const { socket, child } = await scene.service(name, node ? { node } : {});
  const { status, stdout, stderr } = await execute(
    [
      compile("stability"),
      ...[scene.kcov, socket, join(scene.folder, "inputs"), String(rounds)],
      join(scene.folder, "sets"),
    ],
    { timeout: 300_000, env: measure.env },
  );
  assert.is(stderr, "", name);
  assert.is(status, 0, name);
  child.kill("SIGTERM");
  await finish(child);
  const lines = stdout.trim().split("\n");
  const unstable = new Map<number, string[]>();
  for (const line of lines.slice(0, -1)) {
    const [, input, pcs] = line.match(/^unstable (\d+) times \d+ pcs (.*)$/)!;
    unstable.set(Number(input), scene.symbolize(pcs.split(" ")));
  }
  return [unstable, lines.at(-1)!];
}

/** A place in a library that does not execute the same blocks for the same input. */
export interface Exception {
  /** The inputs for which that was found. @default {all} */
  readonly inputs?: readonly number[];
  /** The end of the file's path. */
  readonly file: string;
  /**
   * The beginning of the place's first line; its last is the next of the same depth that begins with a brace.
   * @default {the whole file}
   */
  readonly start?: string;
  readonly cause: string;
}

/** All differences are at places of exceptions. */
export function assertExplained(unstable: Unstable, exceptions: readonly Exception[] = []): void {
  for (const [input, blocks] of unstable) {
    const some = exceptions.filter(({ inputs }) => inputs?.includes(input) ?? true);
    for (const block of blocks) {
      const where = `input ${input}: ${block}, one of ${blocks.length}`;
      assert.ok(some.some((exception) => isWithin(exception, block)), where);
    }
  }
}

function isWithin({ file: ending, start }: Exception, block: string): boolean {
  const [, file, line, lastLine] = block.match(/^(.*):(\d+)\.\d+,(\d+)\.\d+$/)!;
  if (!file.endsWith(ending)) return false;
  if (start === undefined) return true;
  const lines = readFileSync(file, "utf8").split("\n");
  const first = lines.findIndex((text) => text.trim().startsWith(start));
  const brace = lines[first].match(/^ */)![0] + "}";
  const last = lines.findIndex((text, i) => i > first && text.startsWith(brace));
  return Number(line) > first && Number(lastLine) <= last + 1;
}
