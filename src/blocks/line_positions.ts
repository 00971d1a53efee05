import type { BlockTable } from "./block_table.ts";

/**
 * The starts and ends of a table's blocks, as editors count: four numbers a block (line and column of the
 * start, line and column of the end), all from 1, columns in UTF-16 units.
 */
export function linePositions(source: string, table: BlockTable): Uint32Array {
  const lines = lineStarts(source);
  const positions = new Uint32Array(table.blockStart.length * 4);
  for (let i = 0; i < table.blockStart.length; i++) {
    put(positions, { at: i * 4, offset: table.blockStart[i], lines });
    put(positions, { at: i * 4 + 2, offset: table.blockEnd[i], lines });
  }
  return positions;
}

/** Offsets at which lines start; the ends of lines are those of ECMAScript. */
export function lineStarts(source: string): number[] {
  const starts = [0];
  const ends = /\r\n|[\n\r\u2028\u2029]/g;
  while (ends.exec(source)) starts.push(ends.lastIndex);
  return starts;
}

function put(
  positions: Uint32Array,
  place: { at: number; offset: number; lines: readonly number[] },
): void {
  const { at, offset, lines } = place;
  const line = lineAt(lines, offset);
  positions[at] = line + 1;
  positions[at + 1] = offset - lines[line] + 1;
}

/** The line of an offset, from 0, by the offsets at which lines start. */
export function lineAt(lines: readonly number[], offset: number): number {
  let low = 0;
  let high = lines.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (lines[middle] <= offset) low = middle;
    else high = middle;
  }
  return low;
}
