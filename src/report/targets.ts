import { visible } from "./display_text.ts";
import type { TargetRow, UnprobedScript } from "../messages/requests.ts";

const HEADINGS = [
  "ID",
  "NAME",
  "PID",
  "RUNTIME",
  "LINK",
  "COLLECTOR",
  "HOLD",
  "SCRIPTS",
  "BLOCKS",
  "STATE",
];

/** The targets as a table with a heading, a line a target. */
export function formatTargets(rows: readonly TargetRow[]): string {
  return formatTable([HEADINGS, ...rows.map(cells)]);
}

/** The scripts without probes as a second table, after an empty line; nothing where there are none. */
export function formatUnprobed(scripts: readonly UnprobedScript[]): string {
  if (scripts.length === 0) return "";
  const lines = grouped(scripts).map(({ target, url, reason }) => [target, url, reason]);
  return `\n${formatTable([["TARGET", "SCRIPT", "NOT MEASURED BECAUSE"], ...lines])}`;
}

/** More scripts of a target with the same reason than this are one line. */
const MOST_ALIKE = 10;

function grouped(scripts: readonly UnprobedScript[]): UnprobedScript[] {
  const groups = new Map<string, UnprobedScript[]>();
  for (const script of scripts) {
    const key = JSON.stringify([script.target, script.reason]);
    groups.set(key, [...groups.get(key) ?? [], script]);
  }
  return [...groups.values()].flatMap((group) =>
    group.length > MOST_ALIKE ? [{ ...group[0], url: `${group.length} scripts` }] : group
  );
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const table = rows.map((cells) => cells.map((cell) => visible(cell)));
  const widths = table[0].map((_, i) => Math.max(...table.map((line) => line[i].length)));
  const lines = table.map((line) =>
    line.map((cell, i) => i === line.length - 1 ? cell : cell.padEnd(widths[i])).join("  ")
  );
  return `${lines.join("\n")}\n`;
}

function cells(row: TargetRow): string[] {
  return [
    String(row.id),
    row.name,
    String(row.pid),
    row.runtime,
    row.link,
    row.collector,
    row.hold,
    String(row.scripts),
    String(row.blocks),
    row.note ? `${row.state} (${row.note})` : row.state,
  ];
}
