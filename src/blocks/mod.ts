/**
 * The blocks of a script, and which of them have executed by V8's report: usable without a server.
 *
 * V8's precise coverage reports ranges, and which ones depends on their counts. {@linkcode buildBlockTable}
 * computes from the source alone every boundary that it can ever report, {@linkcode executedIn} reads a
 * report by it, and {@linkcode linePositions} gives the places of the blocks.
 *
 * @example
 * ```ts
 * import { buildBlockTable, executedIn, linePositions } from "kcovfs/coverage";
 *
 * // After Profiler.enable, and Profiler.startPreciseCoverage with callCount and detailed:
 * const { result } = await session.post("Profiler.takePreciseCoverage");
 * const script = result.find(({ url }) => url.endsWith("/app.js"));
 * const table = buildBlockTable(source);
 * const positions = linePositions(source, table);
 * for (const block of executedIn(table, script)) console.log(positions.slice(4 * block, 4 * block + 2));
 * ```
 */
export { type BlockTable, buildBlockTable } from "./block_table.ts";
export { executedIn } from "./executed_in.ts";
export { linePositions, lineStarts } from "./line_positions.ts";
export type { ParseSourceOptions } from "./parse_source.ts";
export { type FilterOptions, scriptFilter } from "./script_filter.ts";
export type { FunctionCoverage, ScriptCoverage } from "./script_report.ts";
