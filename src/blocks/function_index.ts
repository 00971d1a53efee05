/** Finds the row of a function that V8 reports. */

import type { BlockTable } from "./block_table.ts";

const NONE = -1;
const TOP_LEVEL = 0;

/**
 * A hash table from a function's range, or an alias of it, to its row.
 *
 * Two functions can have one range only if the source is exactly one function, or, for V8 11, one
 * class: then the top level (row 0) and that function share it, and `find` gives row 0. A reader of a
 * report settles it with `resolve`, entry by entry in V8's order.
 */
export class FunctionIndex {
  readonly #mask: number;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #rows: Int32Array;
  /** Row of the function that shares the top level's range, or NONE. */
  #twin = NONE;
  #twinIsInitializer = false;

  constructor(table: BlockTable) {
    const { functionStart, functionEnd, aliasStart, aliasEnd, aliasRow } = table;
    const capacity = 2 ** Math.ceil(Math.log2(2 * (functionStart.length + aliasRow.length)));
    this.#mask = capacity - 1;
    this.#starts = new Uint32Array(capacity);
    this.#ends = new Uint32Array(capacity);
    this.#rows = new Int32Array(capacity).fill(NONE);
    for (let row = 0; row < functionStart.length; row++) {
      if (!this.#add(functionStart[row], functionEnd[row], row)) this.#twin = row;
    }
    for (let alias = 0; alias < aliasRow.length; alias++) {
      if (this.#add(aliasStart[alias], aliasEnd[alias], aliasRow[alias])) continue;
      this.#twin = aliasRow[alias];
      this.#twinIsInitializer = true;
    }
  }

  /** Row of the function that V8 reports as [start, end), in UTF-16 units; -1 if there is none. */
  find(start: number, end: number): number {
    for (let slot = this.#slot(start, end);; slot = (slot + 1) & this.#mask) {
      const row = this.#rows[slot];
      if (row === NONE || (this.#starts[slot] === start && this.#ends[slot] === end)) return row;
    }
  }

  /**
   * The row that an entry means for which `find` gave `row`. It is another one only where the top level
   * shares its range.
   *
   * V8 gives the top level no name (so a named entry is the inner function's), reports it first, and
   * whenever it reports it as run it also reports the functions in it. So of two entries without a
   * name the first is the top level's, and one alone is the inner function's, which must then be an
   * arrow function. Measured on Node 20, 24 and 26.
   *
   * @param functionName as V8 reports it
   * @param isRepeated whether a later entry of this script in this report has the same range
   */
  resolve(row: number, functionName: string, isRepeated: boolean): number {
    if (row !== TOP_LEVEL || this.#twin === NONE) return row;
    if (functionName !== "") return this.#twin;
    return isRepeated || this.#twinIsInitializer ? TOP_LEVEL : this.#twin;
  }

  #slot(start: number, end: number): number {
    const hash = Math.imul(start, 0x9e3779b1) ^ Math.imul(end, 0x85ebca6b);
    return (hash ^ (hash >>> 15)) & this.#mask;
  }

  /** @returns whether the range is new */
  #add(start: number, end: number, row: number): boolean {
    let slot = this.#slot(start, end);
    while (this.#rows[slot] !== NONE) {
      if (this.#starts[slot] === start && this.#ends[slot] === end) return false;
      slot = (slot + 1) & this.#mask;
    }
    this.#starts[slot] = start;
    this.#ends[slot] = end;
    this.#rows[slot] = row;
    return true;
  }
}
