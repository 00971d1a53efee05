/**
 * Makes room in a full area: see `src/folding`. It takes a while, in which the isolate may be interrupted, held or
 * ended wherever. So it folds a copy, and touches the area only to take that and to put it back.
 */
const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;
const folding = require("../../folding/fold.cjs") as import("../../folding/fold.cts").Folding;
// User code may replace these.
const { compareExchange } = Atomics;
const { ArrayBuffer: Bytes, Int32Array: Halves } = globalThis;
/** Copies memory at once: V8 interrupts no loop in it. */
const copyInto = Function.prototype.call.bind(Halves.prototype.set) as (
  to: Int32Array,
  from: Int32Array,
  at: number,
) => void;
const { fold, leavesRoom, PC_HIGH, BLOCK } = folding;
const BUSY = memory.CONTROL.busy;
const GENERATION = memory.CONTROL.generation;

/** The outcomes of a step. This one: it is done. */
const DONE = -1;
/** Somebody else wrote the count: the client, for example. */
const AGAIN = -2;
/** The table is of another generation. */
const CHANGED = -3;

/** An area that folds. Nobody else writes into it but the client, who resets it. */
interface FoldingArea {
  /** Two a word of the area's. */
  readonly halves: Int32Array;
  readonly words: number;
  /** How often its folding has begun. */
  foldings: number;
}

/**
 * Folds a full area.
 *
 * If this is interrupted or ended, the area is as full as it was, and the next hit folds it again. Between the copy
 * and the count the area holds edges, and after them words of before, some of which these edges count already. If
 * it is ended there, or killed, those count twice; but each edge was taken.
 *
 * @returns {@linkcode DONE} when it stays full, for it has too many edges; {@linkcode AGAIN} when a hit is to be
 * tried again; or {@linkcode CHANGED}.
 */
function foldArea(control: Int32Array, generation: number, area: FoldingArea): number {
  const { words } = area;
  const foldings = ++area.foldings;
  let folded = words;
  let bytes: ArrayBuffer | undefined;
  let copy: Int32Array | undefined;
  try {
    bytes = new Bytes(8 * (words + 1));
    copy = new Halves(bytes);
    const outcome = take(control, generation, area, copy);
    if (outcome !== DONE) return outcome;
    folded = fold(copy, words - 1);
  } catch {
    // There is no memory, or no stack, for this: the area is full.
  }
  // A debugger's code may have interrupted this, and folded it.
  if (area.foldings !== foldings) return AGAIN;
  if (!bytes || !copy || !leavesRoom(folded, words)) return close(control, generation, area);
  const count = folded - 1;
  const edges = { halves: new Halves(bytes, 8, 2 * count), count, last: copy[2 * folded] };
  return putBack(control, generation, area, edges);
}

/** Whether an area is full, and was not found to have too many edges. */
function canFold({ halves, words }: FoldingArea): boolean {
  return halves[0] === words - 1 && halves[1] === 0 && halves[2 * words - 1] === PC_HIGH;
}

/** Copies an area. */
function take(
  control: Int32Array,
  generation: number,
  area: FoldingArea,
  copy: Int32Array,
): number {
  control[BUSY]++;
  let outcome = CHANGED;
  if (control[GENERATION] === generation) {
    outcome = AGAIN;
    if (canFold(area)) {
      copyInto(copy, area.halves, 0);
      outcome = DONE;
    }
  }
  control[BUSY]--;
  return outcome;
}

interface Edges {
  readonly halves: Int32Array;
  readonly count: number;
  /** The lower half of the PC after them. */
  readonly last: number;
}

/**
 * Has the folded words of an area instead of all. The count becomes theirs, unless the client has reset it
 * meanwhile, before the PC comes after them: what stood there before does not follow on that PC.
 */
function putBack(
  control: Int32Array,
  generation: number,
  area: FoldingArea,
  edges: Edges,
): number {
  const { halves, words } = area;
  const { count } = edges;
  const at = 2 * (count + 1);
  control[BUSY]++;
  let outcome = CHANGED;
  if (control[GENERATION] === generation) {
    outcome = AGAIN;
    if (canFold(area)) {
      copyInto(halves, edges.halves, 2);
      if (compareExchange(halves, 0, words - 1, count) === words - 1) {
        halves[at] = edges.last;
        halves[at + 1] = PC_HIGH;
        if (halves[0] === count) halves[0] = count + 1;
      }
    }
  }
  control[BUSY]--;
  return outcome;
}

/**
 * Has an area stay full until the client resets it: its last word, a PC, becomes the edge to that, which says the
 * same and cannot be there otherwise.
 */
function close(control: Int32Array, generation: number, area: FoldingArea): number {
  const { halves, words } = area;
  const at = 2 * (words - 1);
  const edge = new Halves(2);
  control[BUSY]++;
  let outcome = CHANGED;
  if (control[GENERATION] === generation) {
    outcome = DONE;
    const isFirst = words === 2;
    const previous = isFirst ? 0 : halves[at - 2] >>> 3 & BLOCK;
    edge[0] = previous << 28 | halves[at] >>> 3 & BLOCK;
    edge[1] = 1 << 24 | previous >>> 4;
    // Both halves at once, for a client may read them.
    if (canFold(area) && (isFirst || halves[at - 1] === PC_HIGH)) copyInto(halves, edge, at);
  }
  control[BUSY]--;
  return outcome;
}

const parts = { foldArea, DONE, AGAIN, CHANGED };
module.exports = parts;
export type Parts = typeof parts;
