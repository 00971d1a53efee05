/** Reads from V8's report of one function which of its blocks have executed. */

import type { BlockTable } from "./block_table.ts";
import type { ScriptReport } from "./script_report.ts";

/**
 * The ranges around the current block, by index. The array is reused, so that a collection allocates nothing.
 */
const enclosing: number[] = [];

/**
 * Calls `into` with each block of function `row` that has executed, ascending.
 *
 * Of a function that has run without block counters only the first block is known to have executed. No other
 * block is claimed, since a PC must never stand for code that did not run. With block counters, a block has
 * executed when the innermost range that contains its start counts above 0. The function's own count decides
 * nothing else: a resumed generator counts 0 itself.
 *
 * This is as exact as V8's counters, which are not exact in some places (measured, the same on all three):
 *
 * - A generator's first block counts when the generator is made, not when it first runs.
 * - After `label: try {}` that was left by `break label`, the code that follows is not counted.
 * - After a `for (let ...;;)` with closures, the code that follows counts once for each time the body ended:
 *   not at all if it never ran, and wrongly if a later round left the function.
 *
 * @param row The function's row in the table, `index` that in the report. `into` must not call this.
 */
export function executedBlocks(
  table: BlockTable,
  row: number,
  { report, index }: { report: ScriptReport; index: number },
  into: (block: number) => void,
): void {
  const { firstBlock, blockStart } = table;
  const { start, end, count } = report;
  const first = firstBlock[row];
  const own = report.firstRange[index];
  const last = report.firstRange[index + 1];
  if (report.isBlockCoverage[index] === 0) {
    if (count[own] > 0) into(first);
    return;
  }
  if (last - own === 1 && count[own] === 0) return;
  let next = own + 1;
  let depth = 0;
  for (let block = first; block < firstBlock[row + 1]; block++) {
    const at = blockStart[block];
    while (next < last && start[next] <= at) enclosing[depth++] = next++;
    while (depth > 0 && end[enclosing[depth - 1]] <= at) depth--;
    if (count[depth === 0 ? own : enclosing[depth - 1]] > 0) into(block);
  }
}
