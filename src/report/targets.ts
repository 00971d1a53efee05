import type { TargetRow } from "../control_client.ts";

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
  const table = [HEADINGS, ...rows.map(cells)];
  const widths = HEADINGS.map((_, i) => Math.max(...table.map((line) => line[i].length)));
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
