import type { SourceMap } from "./source_map.ts";

/** A map's mappings, one after the other, without those that name no original. */
export interface MapSegments {
  readonly length: number;
  /** Offsets in the script, ascending. */
  readonly offset: Uint32Array;
  /** The index of the original, and the place in it: line and column, from 0. */
  readonly original: Uint32Array;
  readonly line: Uint32Array;
  readonly column: Uint32Array;
  /**
   * Grows where the original changes: mappings of equal `run` have only mappings of that original between
   * them.
   */
  readonly run: Uint32Array;
}

/** @param lineStarts Of the script. Mappings beyond the end of a line are left out. */
export function flattenMap(
  map: SourceMap,
  script: { lineStarts: readonly number[]; length: number },
): MapSegments {
  const most = map.lines.reduce((sum, line) => sum + line.length, 0);
  const [offset, original, line, column, run] = Array.from(
    { length: 5 },
    () => new Uint32Array(most),
  );
  let length = 0;
  map.lines.forEach((segments, at) => {
    const start = script.lineStarts[at];
    const end = script.lineStarts[at + 1] ?? script.length + 1;
    for (const segment of segments) {
      if (segment.length === 1 || map.originals[segment[1]].url === "") continue;
      if (start + segment[0] >= end) continue;
      offset[length] = start + segment[0];
      original[length] = segment[1];
      line[length] = segment[2];
      column[length] = segment[3];
      const isSame = length > 0 && original[length - 1] === segment[1];
      run[length] = length === 0 ? 0 : run[length - 1] + (isSame ? 0 : 1);
      length++;
    }
  });
  return {
    length,
    offset: offset.subarray(0, length),
    original: original.subarray(0, length),
    line: line.subarray(0, length),
    column: column.subarray(0, length),
    run: run.subarray(0, length),
  };
}

/** The first mapping at or after an offset; `length` where there is none. */
export function firstFrom({ offset, length }: MapSegments, from: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offset[middle] < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
