/**
 * The functions that the probes in a target's scripts call. Each hit is written into memory that this isolate
 * has mapped, and clients read it there. See `src/probes` for the probes, `areas.ts` for who maps what.
 *
 * While this isolate runs, the agent's worker changes from outside where hits go: by the shared words that
 * every hit reads anew, and by mapping an area over the window. So nothing here may be kept from one hit to
 * the next, except while `generation` says that it still holds.
 */
import type * as Koffi from "koffi";

const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;
const { foldArea, DONE, AGAIN, CHANGED } = require(
  "./fold_area.cjs",
) as import("./fold_area.cts").Parts;
const { makeWaiting } = require("./turn_waiting.cjs") as import("./turn_waiting.cts").Parts;
// User code may replace these.
const { compareExchange } = Atomics;
const { BigInt: toBigInt, Int32Array: Halves } = globalThis;
const { AREA_COMPARISONS, AREA_FOLDS, AREAS_SIZE, COUNT_BITS } = memory;
const BUSY = memory.CONTROL.busy;
const GENERATION = memory.CONTROL.generation;

/**
 * Bytes of the window: in larger areas, hits beyond it are written more slowly. `external` of
 * `process.memoryUsage()` grows by it, too.
 */
const WINDOW_SIZE = 8 * 1024 * 1024;
/** The number of blocks that can have a PC; each has a byte in the map of blocks. */
const BLOCKS = 0x10000000;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;
const MAP_FAILED = -1n;

const TURNS_MASK = (1 << COUNT_BITS) - 1;

/** An area as the table has it, mapped. */
interface Area {
  readonly address: bigint;
  /** Two for each word of the area. */
  readonly halves: Int32Array;
  readonly words: number;
  readonly takesComparisons: boolean;
  /** Whether a full area is folded; not while others write here. */
  readonly folds: boolean;
  /** See `fold_area.cts`. */
  foldings: number;
  /** If others write here, too: the word that says whose turn it is; see `turns.ts`. */
  readonly turns: Int32Array | undefined;
  /** The descriptor of the file of turns. */
  readonly turnsFd: number;
  /** The last turn that this isolate took here: its number as a writer, and a count. */
  turn: number;
}

/** The areas of one generation. */
interface Table {
  readonly generation: number;
  readonly areas: readonly Area[];
}

/** The data to write: a PC; of a comparison also its type, and the halves of two 64-bit arguments. */
interface Hit {
  readonly pc: number;
  readonly record: readonly number[] | undefined;
}

/** The functions that probes call, and the memory that they write into. */
interface Probes {
  /** The window's address, for the agent's worker. */
  readonly address: bigint;
  /** The address of the map of blocks, which hits mark. */
  readonly blocks: bigint;
  readonly hit: (pc: number) => void;
  /** Records a comparison at a PC: its type, and two 64-bit arguments by their halves. */
  readonly compare: (pc: number, ...record: readonly number[]) => void;
}

function loadKoffi(): typeof Koffi {
  try {
    return require("koffi");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_DLOPEN_DISABLED") throw error;
    throw new Error("probes need a native addon, and this process may load none (--allow-addons)");
  }
}

/**
 * Makes the functions that an isolate's probes call. PCs are lower halves, as signed numbers: V8 keeps these
 * without boxes.
 *
 * @throws when the native library cannot be loaded.
 */
function makeProbes(control: Int32Array): Probes {
  const koffi = loadKoffi();
  const mmap = koffi.load(null).func("void *mmap(void *, size_t, int, int, int, int64_t)");
  const reserve = (size: number): bigint => {
    const address = mmap(null, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
    if (toBigInt.asIntN(64, address) !== MAP_FAILED) return address;
    throw new Error(`Cannot map ${size / 2 ** 20} MiB of memory for probes`);
  };
  const address = reserve(WINDOW_SIZE);
  const blocks = reserve(BLOCKS);
  const marks = new Uint8Array(koffi.view(blocks, BLOCKS));
  const area = new Int32Array(koffi.view(address, WINDOW_SIZE));
  const areas = new Areas(control, {
    view: (from, size) => new Halves(koffi.view(from, size)),
    waiting: makeWaiting(koffi),
  });
  // Numbers that V8 takes for constants, as it does both arrays. Inlined, the whole function is some ten
  // instructions (see `inline_probes.cts`).
  const LIMIT = memory.CONTROL.limit;
  const ENOUGH = memory.CONTROL.enough;
  const hit = (pc: number): void => {
    marks[pc >>> 3 & 0xfffffff] = 1;
    // Read first, and used twice so that V8 does so: a value of the window that was read before its limit
    // may be of another time.
    const limit = control[LIMIT];
    const count = area[0] + 1 | 0;
    if (count < limit) {
      const at = count << 1;
      area[at] = pc;
      area[at + 1] = -1;
      // Stored last: so a client that reads meanwhile finds no word that is not written yet.
      area[0] = count;
    } else if (limit !== control[ENOUGH]) areas.hit(pc);
  };
  return { address, blocks, hit, compare: (pc, ...record) => areas.compare(pc, record) };
}

/**
 * All areas, for hits that need more than the window.
 *
 * The isolate may stand still anywhere in here, in a garbage collection or at a gate, for example. A
 * debugger's code, which has hits of its own, may interrupt it. Its code may be ended without a `finally`,
 * by the timeout of a `vm` script, for example. V8 interrupts where a function begins, also one of its own,
 * and where a loop goes round. So only {@linkcode put} touches areas.
 */
class Areas {
  readonly #control: Int32Array;
  readonly #view: (address: bigint, size: number) => Int32Array;
  readonly #waiting: ReturnType<typeof makeWaiting>;
  #table: Table = { generation: 0, areas: [] };

  constructor(
    control: Int32Array,
    { view, waiting }: {
      view: (address: bigint, size: number) => Int32Array;
      waiting: ReturnType<typeof makeWaiting>;
    },
  ) {
    this.#control = control;
    this.#view = view;
    this.#waiting = waiting;
  }

  hit(pc: number): void {
    const { generation, areas } = this.#current();
    for (let i = 0; i < areas.length; i++) {
      const area = areas[i];
      if (area.takesComparisons) continue;
      const outcome = area.turns === undefined
        ? putAlone(this.#control, generation, area, pc)
        : put(this.#control, generation, area, FREE, pc, undefined);
      if (outcome !== DONE) return this.#insist(areas, i, { pc, record: undefined });
    }
  }

  /** The record of a comparison is four words, the last its PC. */
  compare(pc: number, record: readonly number[]): void {
    const { generation, areas } = this.#current();
    for (let i = 0; i < areas.length; i++) {
      if (!areas[i].takesComparisons) continue;
      const outcome = put(this.#control, generation, areas[i], FREE, pc, record);
      if (outcome !== DONE) return this.#insist(areas, i, { pc, record });
    }
  }

  /**
   * Writes a hit into these areas, beginning with the one at `from`, as far as the table still has them.
   * Areas that were enabled while the hit was on its way need not have it.
   */
  #insist(areas: readonly Area[], from: number, hit: Hit): void {
    for (let i = from; i < areas.length; i++) {
      if (areas[i].takesComparisons !== (hit.record !== undefined)) continue;
      for (;;) {
        const { generation, areas: known } = this.#current();
        const area = find(known, areas[i]);
        if (!area || this.#write(area, hit, generation)) break;
      }
    }
  }

  /** Waits for its turn, and writes; false if the table changed before it could. */
  #write(area: Area, { pc, record }: Hit, generation: number): boolean {
    let expected = FREE;
    let holder = FREE;
    let waits = 0;
    for (let tries = 0; tries < MOST_TRIES;) {
      let outcome = put(this.#control, generation, area, expected, pc, record);
      expected = FREE;
      if (outcome === FULL) outcome = foldArea(this.#control, generation, area);
      if (outcome === DONE) return true;
      if (outcome === CHANGED) return false;
      if (outcome === AGAIN) tries++;
      if (outcome <= FREE) continue;
      if (outcome !== holder) waits = 0;
      holder = outcome;
      if (isOwn(area, holder)) {
        expected = holder;
        continue;
      }
      // Facts about the descriptor hold as long as the table does.
      const writer = holder >>> COUNT_BITS;
      if (this.#waiting.isOver(area.turnsFd, { writer, waits })) expected = holder;
      else this.#waiting.wait(waits++);
    }
    return true;
  }

  #current(): Table {
    if (this.#control[GENERATION] !== this.#table.generation) this.#table = this.#read();
    return this.#table;
  }

  #read(): Table {
    for (;;) {
      const generation = this.#control[GENERATION];
      const rows = this.#rows(generation);
      // If the generation has changed, the rows may have been written over meanwhile.
      if (this.#control[GENERATION] !== generation) continue;
      const areas: Area[] = [];
      for (let i = 0; i < rows.length; i++) areas[i] = this.#area(rows[i]);
      return { generation, areas };
    }
  }

  #rows(generation: number): number[][] {
    const { size } = memory.AREA;
    const start = memory.CONTROL.areas + (generation & 1) * AREAS_SIZE;
    const rows: number[][] = [];
    for (let i = 0; i < this.#control[start]; i++) {
      const row: number[] = [];
      for (let word = 0; word < size; word++) {
        row[word] = this.#control[start + 1 + i * size + word];
      }
      rows[i] = row;
    }
    return rows;
  }

  #area(row: readonly number[]): Area {
    const { low, high, words, flags, turnsLow, turnsHigh, turnsFd, writer } = memory.AREA;
    const address = addressOf(row[low], row[high]);
    const isShared = row[writer] !== 0;
    return {
      address,
      halves: this.#view(address, row[words] * 8),
      words: row[words],
      takesComparisons: (row[flags] & AREA_COMPARISONS) !== 0,
      folds: (row[flags] & AREA_FOLDS) !== 0 && !isShared,
      foldings: 0,
      turns: isShared ? this.#view(addressOf(row[turnsLow], row[turnsHigh]), 4) : undefined,
      turnsFd: row[turnsFd],
      turn: row[writer] << COUNT_BITS,
    };
  }
}

function addressOf(low: number, high: number): bigint {
  return toBigInt(low >>> 0) | toBigInt(high >>> 0) << 32n;
}

/** The area at this address; undefined if it has gone. Another may have come to the same address. */
function find(areas: readonly Area[], { address, takesComparisons }: Area): Area | undefined {
  for (let i = 0; i < areas.length; i++) {
    const area = areas[i];
    if (area.address === address && area.takesComparisons === takesComparisons) return area;
  }
  return undefined;
}

/**
 * Whether a turn belongs to an earlier hit of this isolate that was interrupted, and perhaps ended, in it.
 */
function isOwn({ turn }: Area, holder: number): boolean {
  return turn >>> COUNT_BITS === holder >>> COUNT_BITS;
}

/** Nobody's turn. */
const FREE = 0;
/** One more outcome of a {@linkcode put}, besides those of `fold_area.cts`: the area is full, and may be folded. */
const FULL = -4;

/**
 * Writes a hit into an area, unless the area is full. The outcome is {@linkcode DONE} for a full area, too,
 * unless that may be folded. An outcome above {@linkcode FREE} is somebody else's turn.
 *
 * The count goes up once the words are there: a client may read at any moment, and would otherwise find words
 * of an earlier request. It may also store a count at any moment, by a plain store: if several write, that
 * store is not undone.
 *
 * So writers take turns if there are several. A writer may not come to run again in its turn, or not for
 * long. Another then takes its turn from it, by expecting that turn instead of {@linkcode FREE}. So a writer
 * checks whether it still has its turn.
 *
 * V8 must not interrupt this except where it calls `Atomics`: no loop, no other call. Interrupted at the
 * first call, it has no turn yet. At the second it may be ended, or stay for long, in its turn: the word is
 * written, but not counted yet. The isolate's next hit then takes that turn.
 */
function put(
  control: Int32Array,
  generation: number,
  area: Area,
  expected: number,
  pc: number,
  record: readonly number[] | undefined,
): number {
  const { halves, words, turns } = area;
  const size = record === undefined ? 1 : 4;
  const turn = area.turn & ~TURNS_MASK | area.turn + 1 & TURNS_MASK;
  area.turn = turn;
  control[BUSY]++;
  let outcome = CHANGED;
  if (control[GENERATION] === generation) {
    outcome = turns === undefined ? expected : compareExchange(turns, 0, expected, turn);
  }
  if (outcome === expected) {
    outcome = DONE;
    const count = halves[0];
    const at = 2 * (count * size + 1);
    const isFull = halves[1] !== 0 || count < 0 || 1 + (count + 1) * size > words;
    if (turns !== undefined && turns[0] !== turn) outcome = AGAIN;
    else if (!isFull) {
      halves[at] = record === undefined ? pc : record[0];
      halves[at + 1] = record === undefined ? -1 : 0;
      if (record !== undefined) {
        halves[at + 2] = record[1];
        halves[at + 3] = record[2];
        halves[at + 4] = record[3];
        halves[at + 5] = record[4];
        halves[at + 6] = pc;
        halves[at + 7] = -1;
      }
      if (turns === undefined) halves[0] = count + 1;
      else if (turns[0] !== turn || compareExchange(halves, 0, count, count + 1) !== count) {
        outcome = AGAIN;
      }
    } else if (
      area.folds && count === words - 1 && halves[1] === 0 && halves[2 * words - 1] === -1
    ) outcome = FULL;
    if (turns !== undefined && turns[0] === turn) turns[0] = FREE;
  }
  control[BUSY]--;
  return outcome;
}

/** {@linkcode put} of a PC where nobody else writes: V8 inlines it, and does not interrupt it. */
function putAlone(control: Int32Array, generation: number, area: Area, pc: number): number {
  const { halves, words } = area;
  control[BUSY]++;
  let outcome = CHANGED;
  if (control[GENERATION] === generation) {
    outcome = DONE;
    const count = halves[0];
    if (halves[1] === 0 && count >= 0 && count + 2 <= words) {
      const at = 2 * (count + 1);
      halves[at] = pc;
      halves[at + 1] = -1;
      halves[0] = count + 1;
    } else if (
      area.folds && count === words - 1 && halves[1] === 0 && halves[2 * words - 1] === -1
    ) outcome = FULL;
  }
  control[BUSY]--;
  return outcome;
}

/** A hit is dropped after so many tries, if its client stores another count each time. */
const MOST_TRIES = 1000;
const parts = { makeProbes, WINDOW_SIZE, BLOCKS };
module.exports = parts;
export type Parts = typeof parts;
