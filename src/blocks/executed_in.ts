import type { BlockTable } from "./block_table.ts";
import { executedBlocks } from "./executed_blocks.ts";
import { FunctionIndex } from "./function_index.ts";
import { type ScriptCoverage, ScriptReport } from "./script_report.ts";

/**
 * The blocks that have executed by V8's report of a script, ascending: numbers of rows in
 * `table.blockStart`. See `executedBlocks` for how exact that is.
 *
 * @param coverage One script of `Profiler.takePreciseCoverage`, taken with `callCount` and `detailed`.
 * Functions that the table does not have, since they are of another source, are left out.
 */
export function executedIn(table: BlockTable, coverage: ScriptCoverage): number[] {
  const executed = new Set<number>();
  const rows = new FunctionIndex(table);
  const report = new ScriptReport();
  report.fill(coverage);
  for (let index = 0; index < report.length; index++) {
    const range = report.firstRange[index];
    let row = rows.find(report.start[range], report.end[range]);
    if (row === 0) row = rows.resolve(row, report.nameOf(index), report.isRepeated(index));
    if (row >= 0) executedBlocks(table, row, { report, index }, (block) => executed.add(block));
  }
  return [...executed].sort((a, b) => a - b);
}
