/** The places in one source where V8 may put its block counters ("slots"), by position. */

const UNUSED = 0;
const CLAIMED = -1;
const OPEN = -1;

/**
 * At most one slot of a source survives at one position, so slots are kept in two arrays that are
 * indexed by position: no sorting, and 8 bytes a unit of source while the table is built.
 *
 * Positions are UTF-16 offsets, owners are numbers of functions.
 */
export class SlotMap {
  readonly length: number;
  /** The slot's function + 1; UNUSED; or CLAIMED, where a continuation was and V8 removes it. */
  readonly #owner: Int32Array;
  readonly #end: Int32Array;

  constructor(length: number) {
    this.length = length;
    this.#owner = new Int32Array(length + 1);
    this.#end = new Int32Array(length + 1);
  }

  /** A range with an end. It wins over a continuation at its start (`FilterAliasedSingletons`). */
  addRange(owner: number, start: number, end: number): void {
    this.#owner[start] = owner + 1;
    this.#end[start] = end;
  }

  /**
   * A continuation: a start only. The first one at a position wins, so the outermost construct must
   * come first (`SourceRangeAstVisitor::VisitNode`).
   */
  addContinuation(owner: number, start: number): void {
    if (this.#owner[start] !== UNUSED) return;
    this.#owner[start] = owner + 1;
    this.#end[start] = OPEN;
  }

  /** A continuation that V8 removes after it has kept others from its position. */
  claim(start: number): void {
    if (this.#owner[start] === UNUSED) this.#owner[start] = CLAIMED;
  }

  /** The function whose slot begins at `start`, or -1. */
  ownerAt(start: number): number {
    return Math.max(this.#owner[start] - 1, -1);
  }

  /** Whether the slot at `start` is a continuation. */
  isContinuation(start: number): boolean {
    return this.#end[start] === OPEN;
  }

  /** End of the range that begins at `start`. */
  endAt(start: number): number {
    return this.#end[start];
  }
}
