/**
 * Makes an area's words fewer: its hits become edges, each with how often it was taken. See `docs/folding.md`
 * for the words. This is loaded into every target with probes, and loads nothing.
 */
// User code may replace these.
const { imul } = Math;
const { Int32Array: Numbers } = globalThis;

/** The upper half of a word that is a PC. No folded word has it, for counts end before. */
const PC_HIGH = -1;
/** Of a PC's number of its block, and of the bits of that in the upper half of a folded word. */
const BLOCK = 0xfffffff;
const UPPER = 0xffffff;
const MOST_HITS = 254;
/** Of the table of edges, at first; a power of two. */
const FIRST_SLOTS = 1024;

/** The words that are edges: the first ones, each edge once. */
class Edges {
  readonly #halves: Int32Array;
  /** By the hashes of edges: the numbers of their words, or 0. At most half of them are taken. */
  #slots = new Numbers(FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  known = 0;

  constructor(halves: Int32Array) {
    this.#halves = halves;
  }

  /** @param upper The upper half without its count. */
  add(low: number, upper: number, hits: number): void {
    const halves = this.#halves;
    const slot = this.#find(low, upper);
    const word = this.#slots[slot];
    if (word !== 0) {
      const sum = (halves[2 * word + 1] >>> 24) + hits;
      halves[2 * word + 1] = (sum < MOST_HITS ? sum : MOST_HITS) << 24 | upper;
      return;
    }
    const added = ++this.known;
    halves[2 * added] = low;
    halves[2 * added + 1] = hits << 24 | upper;
    this.#slots[slot] = added;
    if (2 * added > this.#mask) this.#grow();
  }

  /** The slot of an edge, or that it may take. */
  #find(low: number, upper: number): number {
    const halves = this.#halves;
    const slots = this.#slots;
    const mask = this.#mask;
    const hash = imul(imul(low, 0x2545f491) ^ upper, 0x9e3779b1);
    let slot = (hash ^ hash >>> 15) & mask;
    for (let word = slots[slot]; word !== 0; word = slots[slot]) {
      if (halves[2 * word] === low && (halves[2 * word + 1] & UPPER) === upper) break;
      slot = slot + 1 & mask;
    }
    return slot;
  }

  #grow(): void {
    const halves = this.#halves;
    this.#mask = 2 * this.#mask + 1;
    this.#slots = new Numbers(this.#mask + 1);
    for (let word = 1; word <= this.known; word++) {
      this.#slots[this.#find(halves[2 * word], halves[2 * word + 1] & UPPER)] = word;
    }
  }
}

/**
 * Folds words in place: each edge is one word, in the order in which they were taken first. Behind them stays the
 * last word where that is a PC, for the next edge begins with it.
 *
 * @param halves Two a word, of which word 0 is not touched. There is room for one word more than `count`.
 * @returns how many words there are now: one more than before where no edge was taken twice.
 */
function fold(halves: Int32Array, count: number): number {
  const edges = new Edges(halves);
  let previous = 0;
  /** The last PC's lower half, where a PC was the last word. */
  let last = 0;
  let isPc = false;
  let isFirst = true;
  for (let word = 1; word <= count; word++) {
    const low = halves[2 * word];
    const high = halves[2 * word + 1];
    const isCounted = !isPc && !isFirst;
    isFirst = false;
    isPc = high === PC_HIGH;
    if (isPc) {
      const block = low >>> 3 & BLOCK;
      if (!isCounted) edges.add(previous << 28 | block, previous >>> 4, 1);
      previous = block;
      last = low;
    } else edges.add(low, high & UPPER, high >>> 24);
  }
  if (!isPc) return edges.known;
  const end = edges.known + 1;
  halves[2 * end] = last;
  halves[2 * end + 1] = PC_HIGH;
  return end;
}

/** The words of an area that are folded: none, or so many that an eighth of it is free. */
function leavesRoom(folded: number, words: number): boolean {
  return 8 * (words - 1 - folded) >= words - 1;
}

const parts = { fold, leavesRoom, PC_HIGH, BLOCK };
module.exports = parts;
export type Folding = typeof parts;
