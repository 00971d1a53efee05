import type { FileCoverageData, Location, Range } from "istanbul-lib-coverage";
import type { BlockTable } from "../blocks/block_table.ts";
import { innermostBlocks } from "../blocks/innermost_blocks.ts";
import { visible } from "./display_text.ts";
import type { FunctionName, SourceOutline } from "./source_outline.ts";

/** The facts about a file's blocks that come from its text, if that could be parsed. */
export interface FileOutline extends SourceOutline {
  readonly table: BlockTable;
  /** The blocks' places, four numbers each: see `linePositions`. */
  readonly positions: Uint32Array;
  /** Line and column of an offset, as Istanbul counts: lines from 1, columns from 0. */
  readonly locate: (offset: number) => Location;
}

/** Whether the blocks of a file have executed, by place: `line.column,line.column`, from 1. */
export type BlockStates = ReadonlyMap<string, boolean>;

/**
 * A file's coverage in Istanbul's terms. Counts are 0 and 1.
 *
 * Each block that is not a function's first is a branch of one way. A statement is covered when the innermost
 * block around it has executed; a function when its first block has. Code that no target has compiled, such as
 * code that a bundler left out, is not included.
 *
 * @param outline Of the file's text; without it there are only branches, and a statement for each.
 */
export function fileCoverage(
  path: string,
  { states, outline }: { states: BlockStates; outline: FileOutline | undefined },
): FileCoverageData {
  const data: FileCoverageData = {
    path,
    ...{ statementMap: {}, fnMap: {}, branchMap: {}, s: {}, f: {}, b: {} },
  };
  const file = new Coverage(data);
  const known = outline ? addOutline(file, states, outline) : new Set<string>();
  for (const [range, isCovered] of states) {
    if (known.has(range)) continue;
    const location = parseRange(range);
    if (!outline) file.addStatement(location, isCovered);
    file.addBranch(location, isCovered);
  }
  return data;
}

/** @returns the ranges of the file's own blocks. */
function addOutline(file: Coverage, states: BlockStates, outline: FileOutline): Set<string> {
  const { table, statements, positions, locate } = outline;
  const nameOf = functionNames(outline);
  const known = new Set<string>();
  const covered = Array.from(table.blockStart, (_, block) => {
    const range = rangeText(positions, block);
    known.add(range);
    return states.get(range);
  });
  for (let row = 0; row < table.functionStart.length; row++) {
    const [first, end] = [table.firstBlock[row], table.firstBlock[row + 1]];
    const isFirstCovered = covered[first];
    if (row > 0 && isFirstCovered !== undefined) {
      const [start, end] = [table.functionStart[row], table.functionEnd[row]];
      const location = { start: locate(start), end: locate(end) };
      file.addFunction({ name: nameOf(row), location }, isFirstCovered);
    }
    for (let block = first + 1; block < end; block++) {
      const isCovered = covered[block];
      const location = locationOf(positions, block);
      if (isCovered !== undefined) file.addBranch(location, isCovered);
    }
  }
  const around = innermostBlocks(table, statements.map(({ at }) => at));
  for (const [i, { start, end }] of statements.entries()) {
    const isCovered = covered[around[i]];
    const location = { start: locate(start), end: locate(end) };
    if (isCovered !== undefined) file.addStatement(location, isCovered);
  }
  return known;
}

/** The names of a file's functions, by their rows in its table; undefined for a function without a name. */
export function functionNames(
  { functions, table }: Pick<FileOutline, "functions" | "table">,
): (row: number) => string | undefined {
  const byEnd = new Map<number, FunctionName[]>();
  for (const name of functions) {
    const others = byEnd.get(name.end);
    if (others) others.push(name);
    else byEnd.set(name.end, [name]);
  }
  return (row) => nameAt(byEnd.get(table.functionEnd[row]) ?? [], table.functionStart[row]);
}

/** Some members begin a little before V8's range of them. */
function nameAt(names: readonly FunctionName[], start: number): string | undefined {
  const around = names.filter((name) => name.start <= start);
  return around.sort((a, b) => b.start - a.start)[0]?.name;
}

/** Fills the maps of a {@linkcode FileCoverageData}. */
class Coverage {
  readonly #data: FileCoverageData;
  #statements = 0;
  #functions = 0;
  #branches = 0;

  constructor(data: FileCoverageData) {
    this.#data = data;
  }

  addStatement(location: Range, isCovered: boolean): void {
    const key = String(this.#statements++);
    this.#data.statementMap[key] = location;
    this.#data.s[key] = isCovered ? 1 : 0;
  }

  addFunction(of: { name: string | undefined; location: Range }, isCovered: boolean): void {
    const key = String(this.#functions++);
    const { location: loc } = of;
    // A property's name may be any text; a line of lcov must be free of line breaks.
    const name = visible(of.name ?? `(anonymous_${key})`);
    this.#data.fnMap[key] = { name, loc, decl: loc, line: loc.start.line };
    this.#data.f[key] = isCovered ? 1 : 0;
  }

  addBranch(loc: Range, isCovered: boolean): void {
    const key = String(this.#branches++);
    this.#data.branchMap[key] = { type: "block", loc, locations: [loc], line: loc.start.line };
    this.#data.b[key] = [isCovered ? 1 : 0];
  }
}

function rangeText(positions: Uint32Array, block: number): string {
  const [line, column, endLine, endColumn] = positions.subarray(4 * block, 4 * block + 4);
  return `${line}.${column},${endLine}.${endColumn}`;
}

function locationOf(positions: Uint32Array, block: number): Range {
  return parseRange(rangeText(positions, block));
}

function parseRange(range: string): Range {
  const [line, column, endLine, endColumn] = range.split(/[.,]/).map(Number);
  return { start: { line, column: column - 1 }, end: { line: endLine, column: endColumn - 1 } };
}
