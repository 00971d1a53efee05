import { clock, decimal, perSecond, UNKNOWN } from "./display_text.ts";
import { fitTable } from "./fit_table.ts";
import { type Interval, ratesIn } from "./rates.ts";
import { instanceColumns, targetColumns } from "./top_columns.ts";

/** What there is room for, in characters. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** Lines above the tables, and the empty ones before each. */
const OTHER_LINES = 5;

/** What `kcovfs top` shows: no more lines than there are rows, none longer than the columns. */
export function formatTop(interval: Interval, { columns, rows }: ScreenSize): string[] {
  const targets = fitTable(targetColumns(interval), columns);
  const instances = fitTable(instanceColumns(interval), columns);
  const room = rows - OTHER_LINES;
  const shown = clip(targets, Math.max(room - instances.length, Math.floor(room / 2)));
  const lines = [
    ...summary(interval),
    "",
    ...shown,
    "",
    ...clip(instances, room - shown.length),
  ];
  return lines.slice(0, rows).map((line) => line.slice(0, columns));
}

/** What there is no room for is counted in the last line. */
function clip(lines: readonly string[], most: number): readonly string[] {
  if (lines.length <= most) return lines;
  const kept = Math.max(most - 1, 1);
  return [...lines.slice(0, kept), `${lines.length - kept} more`];
}

function summary(interval: Interval): string[] {
  const { uptime, server: { version, pid, collector } } = interval.now;
  return [
    `kcovfs ${version}, pid ${pid}, up ${clock(uptime)}, collector ${collector}`,
    `executions ${executions(interval)}, new blocks ${newBlocks(interval)}`,
    faults(interval),
  ];
}

function executions(interval: Interval): string {
  const { total } = interval.now;
  if (!total) return UNKNOWN;
  return `${perSecond(ratesIn(interval)?.executions)} (${total.executions} in all)`;
}

function newBlocks({ before, now, minuteAgo = before }: Interval): string {
  if (now.coveredBlocks === undefined) return UNKNOWN;
  const minutes = minuteAgo && (now.uptime - minuteAgo.uptime) / 60;
  const added = now.coveredBlocks - (minuteAgo?.coveredBlocks ?? 0);
  return `${minutes ? decimal(added / minutes) : UNKNOWN}/min (${now.coveredBlocks} in all)`;
}

function faults(interval: Interval): string {
  if (interval.now.server.isDirect) {
    return "clients map what targets write: nothing is collected, and nobody sees what they do";
  }
  const rates = ratesIn(interval);
  const { collecting, answering, holding } = rates?.fault ?? {};
  const ms = (time: number | undefined) => time === undefined ? UNKNOWN : `${decimal(time)} ms`;
  return `faults ${perSecond(rates?.faults)}; of one: collecting ${ms(collecting)}, ` +
    `answering ${ms(answering)}, holding ${ms(holding)}`;
}
