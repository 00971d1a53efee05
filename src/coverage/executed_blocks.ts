/** Reads from V8's report of one function which of its blocks have executed. */

import type { BlockTable } from "./block_table.ts";

/** What V8 reports of one function: `Profiler.FunctionCoverage`, its name left out. */
export interface FunctionCounts {
  /**
   * The function's own range, then ranges inside it that differ from what is around them, as a
   * pre-order. Offsets are UTF-16 units, ends are exclusive.
   */
  readonly ranges: ArrayLike<{
    readonly startOffset: number;
    readonly endOffset: number;
    readonly count: number;
  }>;
  /**
   * False if V8 has no counters for the function's blocks. Measured on Node 20, 24 and 26, that is:
   * it was compiled before coverage started, or came from a code cache, or was never compiled (then
   * the count is 0), or it is an `asm.js` module, or **since its compilation the last session that
   * had enabled the `Debugger` domain disabled it**, or coverage was stopped, even if it was started
   * again. A function without any slot is reported as true.
   */
  readonly isBlockCoverage: boolean;
}

/** The ranges around the current block, by index; kept, so that a collection allocates nothing. */
const enclosing: number[] = [];

/**
 * Calls `into` with each block of function `row` that has executed, ascending.
 *
 * Without counters for blocks, a function that has run is known to have executed its first block and
 * nothing else: no other block is claimed, since a PC must never stand for code that did not run.
 * With them, a block has executed when the innermost range that contains its start counts above 0.
 * The function's own count decides nothing else: a resumed generator counts 0 itself.
 *
 * This is as exact as V8's counters, which for some places are not (measured, the same on all three):
 *
 * - A generator's first block counts when the generator is made, not when it first runs.
 * - After `label: try {}` that was left by `break label`, what follows is not counted.
 * - After a `for (let ...;;)` with closures, what follows counts once for each time the body ended: not
 *   at all if it never ran, and wrongly if a later round left the function.
 *
 * Takes V8's objects as `JSON.parse` makes them, so that nothing is copied. Do not call it from `into`.
 */
export function executedBlocks(
  table: BlockTable,
  row: number,
  { ranges, isBlockCoverage }: FunctionCounts,
  into: (block: number) => void,
): void {
  const { firstBlock, blockStart } = table;
  const first = firstBlock[row];
  const { count } = ranges[0];
  if (!isBlockCoverage) {
    if (count > 0) into(first);
    return;
  }
  if (ranges.length === 1 && count === 0) return;
  const end = firstBlock[row + 1];
  let next = 1;
  let depth = 0;
  for (let block = first; block < end; block++) {
    const start = blockStart[block];
    while (next < ranges.length && ranges[next].startOffset <= start) enclosing[depth++] = next++;
    while (depth > 0 && ranges[enclosing[depth - 1]].endOffset <= start) depth--;
    const counts = depth === 0 ? count : ranges[enclosing[depth - 1]].count;
    if (counts > 0) into(block);
  }
}
