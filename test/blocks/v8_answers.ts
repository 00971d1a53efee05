/** Asks real V8s for their blocks and counts. */

import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// This runs in dist/test/blocks; programs are not compiled, so it uses the sources' folder.
const TEST = fileURLToPath(new URL("../../../test/", import.meta.url));
const PROGRAMS = join(TEST, "fixtures/programs");

/** The Nodes for which the table must hold, by their V8. */
export const NODES: readonly { readonly v8: string; readonly path: string }[] = [
  { v8: "11.3", path: join(TEST, "node_modules/node20/bin/node") },
  { v8: "13.6", path: join(TEST, "node_modules/node24/bin/node") },
  { v8: "14.6", path: join(TEST, "node_modules/node26/bin/node") },
];

/** How a source is compiled; `function` is `new Function(source)`. */
export type Goal = "script" | "commonjs" | "module" | "function";

export interface GoalSource {
  readonly goal: Goal;
  readonly source: string;
  /** The seed of random choices while it runs; without one its number in the list. */
  readonly seed?: number;
}

/** The slots of one function as `--trace-block-coverage` prints them; an end of -1 is a continuation. */
export interface PrintedFunction {
  readonly name: string;
  readonly slots: readonly (readonly [start: number, end: number])[];
}

/** One function's range boundaries, of all collections of a run. */
export interface ReportedFunction {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** Starts and ends of its ranges, except for the function's own range. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Whether its ranges always were a pre-order of nested ranges. */
  readonly isNested: boolean;
  /** The number of collections in which it had run without block counters. */
  readonly coarse: number;
}

export interface ReportedScript {
  readonly url: string;
  readonly isModule: boolean;
  readonly source: string;
  readonly functions: readonly ReportedFunction[];
}

/**
 * The slots that the V8 of `node` has for all functions of each source; `undefined` for a source whose
 * syntax it does not know.
 */
export function printSlots(
  node: string,
  sources: readonly GoalSource[],
): (PrintedFunction[] | undefined)[] {
  return withDirectory((directory) => {
    const list = join(directory, "list.json");
    writeFileSync(list, JSON.stringify(sources));
    const flags = ["--no-lazy", "--trace-block-coverage", "--experimental-vm-modules"];
    const output = run(node, [...flags, join(PROGRAMS, "print_slots.cjs"), list], directory);
    return splitSources(parseSlots(output), sources.length);
  });
}

/** `print_slots.cjs` compiles functions that mark the ends of sources. */
function splitSources(
  printed: PrintedFunction[],
  sources: number,
): (PrintedFunction[] | undefined)[] {
  const marks = new Map(printed.map(({ name }, at) => [name, at]));
  return Array.from({ length: sources }, (_, number) => {
    const [start, end] = [marks.get(`source_${number}`), marks.get(`source_${number + 1}`)];
    if (start === undefined || end === undefined) throw new Error(`Cannot find source ${number}`);
    return marks.has(`rejected_${number}`) ? undefined : printed.slice(start + 1, end);
  });
}

/** The reports of the V8 of `node` while `module` drives some code; see `report_ranges.cjs`. */
export function reportRanges(node: string, module: string, args: string[] = []): ReportedScript[] {
  return withDirectory((directory) => drive(node, module, args, directory).scripts);
}

/** One collection after a source was run; see `drive_sources.cjs`. */
export interface Observation {
  readonly url: string;
  readonly functions: readonly RawFunction[];
  /** The probes that were reached since the observation before. */
  readonly probes: readonly number[];
  /** The PCs of the probes that `prepare` has put in, since then, too. */
  readonly pcs: readonly number[];
}

/** A function as `Profiler.takePreciseCoverage` reports it. */
export interface RawFunction {
  readonly functionName: string;
  readonly isBlockCoverage: boolean;
  readonly ranges: readonly {
    readonly startOffset: number;
    readonly endOffset: number;
    readonly count: number;
  }[];
}

export interface SourcesReport {
  /** The script of source number i has the URL `fixture:i`. */
  readonly scripts: readonly ReportedScript[];
  readonly observations: readonly Observation[];
  /** The errors that the sources threw. */
  readonly errors: readonly string[];
}

/** The reports of the V8 of `node` on sources that are run some times. */
export function reportSources(node: string, sources: readonly GoalSource[]): SourcesReport {
  return withDirectory((directory) => {
    const list = join(directory, "list.json");
    writeFileSync(list, JSON.stringify(sources));
    const report = drive(node, join(PROGRAMS, "drive_sources.cjs"), [list], directory);
    return { ...(report.result as Omit<SourcesReport, "scripts">), scripts: report.scripts };
  });
}

/** V8's reports on libraries' files after each input; see `observe_libraries.mjs`. */
export interface LibrariesReport {
  readonly scripts: readonly ReportedScript[];
  readonly observations: readonly (readonly Pick<Observation, "url" | "functions">[])[];
}

/** The reports of the V8 of `node` on the libraries that `drive_libraries.mjs` drives. */
export function reportLibraries(node: string): LibrariesReport {
  return withDirectory((directory) => {
    const { scripts, result } = drive(node, join(PROGRAMS, "observe_libraries.mjs"), [], directory);
    return { scripts, observations: result as LibrariesReport["observations"] };
  });
}

/** The PCs that a copy of the libraries with probes reaches with each input; see `run_probed.mjs`. */
export function runProbed(node: string, driver: string): number[][] {
  return withDirectory((directory) => {
    const out = join(directory, "pcs.json");
    run(node, [join(PROGRAMS, "run_probed.mjs"), out, driver], directory);
    return JSON.parse(readFileSync(out, "utf8"));
  });
}

function drive(
  node: string,
  module: string,
  args: string[],
  directory: string,
): { scripts: ReportedScript[]; result: unknown } {
  const out = join(directory, "ranges.json");
  const program = join(PROGRAMS, "report_ranges.cjs");
  run(node, ["--experimental-vm-modules", program, out, module, ...args], directory);
  return JSON.parse(readFileSync(out, "utf8"));
}

/** The output of a program of `test/fixtures/programs` on the Node at `node`. */
export function runProgram(node: string, program: string): string {
  return withDirectory((directory) => run(node, [join(PROGRAMS, program)], directory));
}

function withDirectory<T>(use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "kcovfs-truth-"));
  try {
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function run(node: string, args: string[], directory: string): string {
  const path = join(directory, "stdout");
  const stdout = openSync(path, "w");
  // Its output goes to a file: V8 prints more than fits into a pipe's buffer, and then blocks.
  const { status, signal, stderr } = spawnSync(node, ["--no-warnings", ...args], {
    stdio: ["ignore", stdout, "pipe"],
  });
  closeSync(stdout);
  if (status !== 0) {
    throw new Error(`Cannot run ${args.at(-1)}: ${signal ?? status}: ${String(stderr)}`);
  }
  return readFileSync(path, "utf8");
}

function parseSlots(output: string): PrintedFunction[] {
  return output.split("Coverage info (").slice(1).map((text) => {
    const [, name, slots] = text.match(/^([^]*?)\):\n([^]*)$/) ?? [];
    const pairs = Array.from(
      slots.matchAll(/^\{(-?\d+),(-?\d+)\}$/gm),
      ([, start, end]) => [Number(start), Number(end)] as const,
    );
    return { name, slots: pairs.filter(([start]) => start >= 0) };
  });
}
