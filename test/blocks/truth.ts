/** Compares block tables with the answers of real V8s: see `v8_answers.ts`. */

import { type BlockTable, buildBlockTable } from "../../src/blocks/block_table.ts";
import { executedBlocks } from "../../src/blocks/executed_blocks.ts";
import { ScriptReport } from "../../src/blocks/script_report.ts";
import { FunctionIndex } from "../../src/blocks/function_index.ts";
import {
  type Goal,
  type GoalSource,
  type Observation,
  type PrintedFunction,
  printSlots,
  type RawFunction,
  type ReportedFunction,
  type ReportedScript,
  reportRanges,
} from "./v8_answers.ts";

/** How many ranges of functions, or slots, V8 has reported, and which of them the tables lack. */
export interface Verdict {
  readonly said: number;
  readonly lacks: readonly string[];
}

/** Tables by source: the three Nodes are asked about the same sources. */
const tables = new Map<string, BlockTable>();

/** `buildBlockTable`, once for each source; its goal is guessed, as a collector must. */
export function tableOf(source: string): BlockTable {
  let table = tables.get(source);
  if (!table) tables.set(source, table = buildBlockTable(source));
  return table;
}

/**
 * Drives a module (see `report_ranges.cjs`) on a Node and checks the tables of all scripts that were
 * loaded, against the boundaries that V8 reported meanwhile and against the slots that it makes when it
 * compiles them as a whole.
 */
export function checkDriven(
  node: string,
  module: string,
  args: string[] = [],
): { scripts: number; boundaries: Verdict; slots: Verdict } {
  const scripts = reportRanges(node, module, args);
  const sources = scripts.map((script) => ({ source: script.source, goal: goalOf(script) }));
  return {
    scripts: scripts.length,
    boundaries: checkBoundaries(scripts),
    slots: checkSlots(node, sources),
  };
}

/** Checks the tables of scripts that were reported. */
export function checkBoundaries(scripts: readonly ReportedScript[]): Verdict {
  let said = 0;
  const lacks = scripts.flatMap((script) => {
    for (const { starts, ends } of script.functions) said += starts.length + ends.length;
    return missingBoundaries(tableOf(script.source), script).map((lack) =>
      `${script.url}: ${lack}`
    );
  });
  return { said, lacks };
}

/**
 * Checks the tables of sources against the slots that V8 makes. A syntax that a table does not know is a
 * lack.
 */
export function checkSlots(node: string, sources: readonly GoalSource[]): Verdict {
  let said = 0;
  const lacks = printSlots(node, sources).flatMap((printed, number) => {
    if (!printed) return [`source ${number}: syntax unknown`];
    for (const { slots } of printed) said += slots.length;
    const table = tableOf(compiled(sources[number]));
    return missingSlots(table, printed).map((lack) => `source ${number}: ${lack}`);
  });
  return { said, lacks };
}

/** The source as V8 has it. */
function compiled({ goal, source }: GoalSource): string {
  return goal === "function" ? `(function anonymous(\n) {\n${source}\n})` : source;
}

/** A source that is no module counts as CommonJS, unless it is that of `new Function`. */
function goalOf({ isModule, source }: ReportedScript): Goal {
  if (isModule) return "module";
  return /^\((async )?function\*? anonymous\(/.test(source) ? "script" : "commonjs";
}

/** The slots of V8 that a table lacks; empty if none. */
export function missingSlots(table: BlockTable, printed: readonly PrintedFunction[]): string[] {
  const rows = rowsByStart(table);
  return printed.flatMap(({ name, slots }) => {
    const row = slots.map(([start]) => rows.get(start)).find((found) => found !== undefined);
    return slots.filter(([start, end]) => !holdsSlot(table, row, start, end)).map(([start, end]) =>
      `slot {${start},${end}} of ${name}`
    );
  });
}

function rowsByStart(table: BlockTable): Map<number, number> {
  const rows = new Map<number, number>();
  for (let row = 0; row < table.functionStart.length; row++) {
    for (let block = table.firstBlock[row] + 1; block < table.firstBlock[row + 1]; block++) {
      rows.set(table.blockStart[block], row);
    }
  }
  return rows;
}

/** V8 never reports a continuation that starts at or past its function's closing brace. */
function holdsSlot(
  table: BlockTable,
  row: number | undefined,
  start: number,
  end: number,
): boolean {
  if (end === -1 && isPastEnd(table, row, start)) return true;
  if (row === undefined) return false;
  for (let block = table.firstBlock[row] + 1; block < table.firstBlock[row + 1]; block++) {
    if (table.blockStart[block] !== start) continue;
    return end === -1 || table.blockEnd[block] === end;
  }
  return false;
}

function isPastEnd({ functionEnd }: BlockTable, row: number | undefined, start: number): boolean {
  if (row !== undefined) return start >= functionEnd[row] - 1;
  return functionEnd.some((end) => start >= end - 1 && start <= end + 1);
}

/** The functions and boundaries that V8 reported and a table lacks; empty if none. */
export function missingBoundaries(table: BlockTable, script: ReportedScript): string[] {
  const index = new FunctionIndex(table);
  return script.functions.flatMap((entry) => {
    const { name, start, end } = entry;
    const isRepeated = script.functions.filter((other) =>
      other.start === start && other.end === end
    );
    const row = index.resolve(index.find(start, end), name, isRepeated.length > 1);
    if (row === -1) return [`function ${name} [${start},${end})`];
    return missingInFunction(table, row, entry).map((what) =>
      `${what} of ${name} [${start},${end})`
    );
  });
}

function missingInFunction(table: BlockTable, row: number, entry: ReportedFunction): string[] {
  const blocks = [table.firstBlock[row], table.firstBlock[row + 1]] as const;
  const starts = new Set(table.blockStart.subarray(...blocks));
  const ends = new Set([...table.blockEnd.subarray(...blocks), ...starts, entry.end - 1]);
  return [
    ...entry.starts.filter((start) => !starts.has(start)).map((start) => `start ${start}`),
    ...entry.ends.filter((end) => !ends.has(end)).map((end) => `end ${end}`),
    ...(entry.isNested ? [] : ["nesting"]),
  ];
}

/**
 * The contradictions between a table, V8's counts and the probes: the places of probes that were reached
 * though their block has not executed, or the other way round. Only probes are checked that no other block's
 * start separates from the start of their block.
 */
export function contradictions(
  script: ReportedScript,
  { functions, probes }: Observation,
): { checked: number; wrong: string[] } {
  const table = tableOf(script.source);
  const executed = executedOf(table, functions);
  const reached = new Set(probes);
  const verdict = { checked: 0, wrong: [] as string[] };
  for (const { 0: text, 1: id, index } of script.source.matchAll(/probe\((\d+)\)/g)) {
    const block = blockAt(table, index);
    if (block === -1) continue;
    verdict.checked++;
    const wasReached = reached.has(Number(id));
    if (wasReached === executed.has(block)) continue;
    verdict.wrong.push(`${text} at ${index} was ${wasReached ? "" : "not "}reached`);
  }
  return verdict;
}

/** The blocks that have executed, by V8's report of one script. */
export function executedOf(table: BlockTable, functions: readonly RawFunction[]): Set<number> {
  const index = new FunctionIndex(table);
  const executed = new Set<number>();
  const report = new ScriptReport();
  report.fill({ scriptId: "", url: "", functions });
  functions.forEach((entry, at) => {
    const { startOffset: start, endOffset: end } = entry.ranges[0];
    const isRepeated = report.isRepeated(at);
    const row = index.resolve(index.find(start, end), entry.functionName, isRepeated);
    if (row === -1) throw new Error(`Cannot find function ${entry.functionName} [${start},${end})`);
    executedBlocks(table, row, { report, index: at }, (block) => executed.add(block));
  });
  return executed;
}

/** The block that was entered last before `at` in the innermost function, or -1 if it has ended. */
function blockAt(table: BlockTable, at: number): number {
  const { functionStart, functionEnd, firstBlock, blockStart, blockEnd } = table;
  let row = 0;
  for (let inner = 0; inner < functionStart.length; inner++) {
    if (functionStart[inner] <= at && at < functionEnd[inner]) row = inner;
  }
  let block = firstBlock[row];
  while (block + 1 < firstBlock[row + 1] && blockStart[block + 1] <= at) block++;
  return at < blockEnd[block] ? block : -1;
}
