import type { Function as FunctionNode } from "acorn";
import type { BlockTable } from "../blocks/block_table.ts";

/** Finds the rows of a table's functions by their nodes. */
export class FunctionRows {
  readonly #table: BlockTable;
  /** The rows, ascending, by the end of their ranges. */
  readonly #byEnd = new Map<number, number[]>();
  readonly #byStart = new Map<number, number>();

  constructor(table: BlockTable) {
    this.#table = table;
    for (const [row, end] of table.functionEnd.entries()) {
      const others = this.#byEnd.get(end);
      if (others) others.push(row);
      else this.#byEnd.set(end, [row]);
      this.#byStart.set(table.functionStart[row], row);
    }
  }

  /** A method's range begins before its function and ends with it; the range of another begins with it. */
  ofFunction({ start, end }: FunctionNode): number {
    const { functionStart } = this.#table;
    return this.#byEnd.get(end)!.findLast((row) => functionStart[row] <= start)!;
  }

  /** @param start Of the initialiser's first element. */
  ofInitialiser(start: number): number {
    return this.#byStart.get(start)!;
  }
}
