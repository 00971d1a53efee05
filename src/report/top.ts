import { clock, decimal, perSecond, UNKNOWN } from "./display_text.ts";
import { type Column, fitTable } from "./fit_table.ts";
import { livingTargets } from "./living_targets.ts";
import { type Interval, ratesIn } from "./rates.ts";
import { instanceColumns, targetColumns } from "./top_columns.ts";

/** The room for the text, in characters. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** Styles of lines, by the numbers of ECMA-48's "Select Graphic Rendition". */
const STYLES = { heading: 1, idle: 2, alarm: 33 } as const;

interface Line {
  readonly text: string;
  readonly style?: keyof typeof STYLES | undefined;
}

const EMPTY: Line = { text: "" };

/**
 * The text of `kcovfs top`: no more lines than rows, none longer than the columns.
 *
 * @param options `hasColors`: whether lines may have escape sequences, which take no room.
 */
export function formatTop(
  interval: Interval,
  { columns, rows, hasColors = false }: ScreenSize & { readonly hasColors?: boolean },
): string[] {
  const head = summary(interval).flatMap((parts, i) => wrap(parts, columns, i === 0));
  const targets = table(targetColumns(interval), columns, targetStyles(interval));
  const instances = table(instanceColumns(interval), columns, instanceStyles(interval));
  const room = rows - head.length - 2;
  const shown = clip(targets, Math.max(room - instances.length, Math.floor(room / 2)));
  const lines = [...head, EMPTY, ...shown, EMPTY, ...clip(instances, room - shown.length)];
  return lines.slice(0, rows).map(({ text, style }) => {
    const cut = text.slice(0, columns);
    return hasColors && style ? `\x1b[${STYLES[style]}m${cut}\x1b[0m` : cut;
  });
}

/** A table with the style of headings for its first line, and these styles for its rows. */
function table(
  columns: readonly Column[],
  width: number,
  styles: readonly Line["style"][],
): Line[] {
  const [heading, ...rows] = fitTable(columns, width);
  return [
    { text: heading, style: "heading" },
    ...rows.map((text, i) => ({ text, style: styles[i] })),
  ];
}

function targetStyles({ now }: Interval): Line["style"][] {
  return livingTargets(now).map(({ state }) => state === "late" ? "alarm" : undefined);
}

function instanceStyles({ now }: Interval): Line["style"][] {
  return now.instances.map(({ state }) => state === "enabled" ? undefined : "idle");
}

/** As many lines as needed; a part is never broken. */
function wrap(parts: readonly string[], width: number, isHeading: boolean): Line[] {
  const lines: string[] = [];
  for (const part of parts) {
    const joined = lines.length > 0 ? `${lines.at(-1)} ${part}` : part;
    if (lines.length > 0 && joined.length <= width) lines[lines.length - 1] = joined;
    else lines.push(part);
  }
  return lines.map((text) => ({ text, style: isHeading ? "heading" : undefined }));
}

/** Cuts off lines for which there is no room. The last line says how many they are. */
function clip(lines: readonly Line[], most: number): readonly Line[] {
  if (lines.length <= most) return lines;
  const kept = Math.max(most - 1, 1);
  return [...lines.slice(0, kept), { text: `${lines.length - kept} more` }];
}

/** The summary's lines, in parts that narrow screens show below each other. */
function summary(interval: Interval): string[][] {
  const { uptime, server: { version, pid, collector } } = interval.now;
  return [
    [`kcovfs ${version}, pid ${pid},`, `up ${clock(uptime)}, collector ${collector}`],
    [`executions ${executions(interval)},`, `new blocks ${newBlocks(interval)}`],
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

function faults(interval: Interval): string[] {
  if (!interval.now.total) {
    return [
      "probes write into clients' memory:",
      "--no-passthrough counts executions and PCs, too",
    ];
  }
  const rates = ratesIn(interval);
  const { collecting, answering, holding } = rates?.fault ?? {};
  const ms = (time: number | undefined) => time === undefined ? UNKNOWN : `${decimal(time)} ms`;
  return [
    `faults ${perSecond(rates?.faults)}; of one: collecting ${ms(collecting)},`,
    `answering ${ms(answering)}, holding ${ms(holding)}`,
  ];
}
