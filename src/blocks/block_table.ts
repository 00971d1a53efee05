/** The blocks of a script: a superset, from the source alone, of all boundaries V8's coverage can report. */

import type { Program } from "acorn";
import { parseSource, type ParseSourceOptions } from "./parse_source.ts";
import { RangeWalk } from "./range_walk.ts";
import { expressionVisitors } from "./expression_ranges.ts";
import { functionVisitors } from "./function_ranges.ts";
import { statementVisitors } from "./statement_ranges.ts";
import { layOut } from "./block_layout.ts";

/**
 * The functions and blocks of one source. Offsets are UTF-16 units; ranges are [start, end).
 *
 * A block has executed when the innermost range V8 reports for its function that contains the
 * block's start has a count above 0 (see `executed_blocks.ts`).
 */
export interface BlockTable {
  /** Length of the source. */
  readonly length: number;
  /**
   * Where functions start, ascending, and among equal starts the longest first, and among equal
   * ranges the outer first. Row 0 is the script's top level, [0, length).
   */
  readonly functionStart: Uint32Array;
  readonly functionEnd: Uint32Array;
  /**
   * By function: the position that a stack trace gives while V8 is at the function's stack check, before any
   * of its code runs; `NOWHERE` where the position says nothing. A function that is reported under an alias
   * is entered where the alias starts.
   */
  readonly functionEntry: Uint32Array;
  /** By function: 1 where it may also be resumed; V8 does that at the same position. */
  readonly isResumed: Uint8Array;
  /** Blocks of function i are rows firstBlock[i] to firstBlock[i + 1] - 1; one element more than functions. */
  readonly firstBlock: Uint32Array;
  /** By function; within one ascending, no two equal. A function's first block starts where it does. */
  readonly blockStart: Uint32Array;
  /** Where V8 would end the range if its count differed from those around it. */
  readonly blockEnd: Uint32Array;
  /**
   * Further ranges under which a version of V8 reports function `aliasRow[i]`: V8 11 gives the
   * initialisers of class members other ranges than V8 13 does. Not in the order of functions.
   */
  readonly aliasStart: Uint32Array;
  readonly aliasEnd: Uint32Array;
  readonly aliasRow: Uint32Array;
}

/**
 * Builds the table, which holds for V8 11.3, 13.6 and 14.6 (Node 20, 24 and 26). It depends on the
 * source alone.
 *
 * @throws {SyntaxError} as `parseSource` does.
 */
export function buildBlockTable(source: string, options: ParseSourceOptions = {}): BlockTable {
  return tableOf(parseSource(source, options), source);
}

/** The same for a source that `parseSource` has parsed. */
export function tableOf(program: Program, source: string): BlockTable {
  const walk = new RangeWalk(source, program.sourceType === "module");
  walk.run(program, {
    ...statementVisitors,
    ...expressionVisitors,
    ...functionVisitors,
  });
  return layOut(walk);
}
