/** A column of a table. */
export interface Column {
  readonly heading: string;
  readonly cells: readonly string[];
  /** Whether its cells are numbers, which are aligned to the right. @default {false} */
  readonly isNumber?: boolean;
  /** Columns of the highest rank are left out first; those of rank 0 never. @default {0} */
  readonly rank?: number;
}

const GAP = "  ";
/** Characters to which a cell is cut where the table is too wide. */
const LONGEST = 20;

/**
 * A table with a heading, whose lines are no longer than the width: first cells are shortened, then columns
 * are left out, and then lines are cut off.
 *
 * @param columns Each has as many cells as the others. Cells are printable ASCII.
 */
export function fitTable(columns: readonly Column[], width: number): string[] {
  let kept = [...columns];
  if (widthOf(kept) > width) kept = kept.map(shorten);
  for (const rank of ranksOf(columns)) {
    if (widthOf(kept) > width) kept = kept.filter((column) => (column.rank ?? 0) !== rank);
  }
  const widths = kept.map(columnWidth);
  const line = (cellOf: (column: Column) => string) =>
    kept.map((column, i) => {
      const cell = cellOf(column);
      return column.isNumber ? cell.padStart(widths[i]) : cell.padEnd(widths[i]);
    }).join(GAP).slice(0, width).trimEnd();
  const rows = columns[0].cells.map((_, row) => line(({ cells }) => cells[row]));
  return [line(({ heading }) => heading), ...rows];
}

function columnWidth({ heading, cells }: Column): number {
  return cells.reduce((most, { length }) => Math.max(most, length), heading.length);
}

function widthOf(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + columnWidth(column), 0) +
    GAP.length * (columns.length - 1);
}

function shorten(column: Column): Column {
  const cells = column.cells.map((cell) =>
    cell.length > LONGEST ? `${cell.slice(0, LONGEST - 1)}~` : cell
  );
  return { ...column, cells };
}

/** The ranks, the highest first. */
function ranksOf(columns: readonly Column[]): number[] {
  const ranks = new Set(columns.map(({ rank = 0 }) => rank));
  return [...ranks].filter((rank) => rank > 0).sort((a, b) => b - a);
}
