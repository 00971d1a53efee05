/**
 * What the probes in a target's scripts call: each hit is written where the clients read it, into memory
 * that this isolate has mapped. See `src/probes` for the probes, `areas.ts` for who maps what.
 *
 * The agent's worker changes what is written to from outside, while this isolate runs: by the words of
 * control memory that every hit reads anew, and by mapping an area over the window. So nothing here may
 * be kept from one hit to the next but what `generation` says still holds.
 */
import type * as Koffi from "koffi";

const memory = require("./memory.cjs") as {
  readonly AREA: Readonly<Record<string, number>>;
  readonly AREA_COMPARISONS: number;
  readonly AREA_SHARED: number;
  readonly AREAS_SIZE: number;
  readonly CONTROL: Readonly<Record<string, number>>;
};
// User code may replace these.
const { compareExchange } = Atomics;
const { BigInt: toBigInt, Int32Array: Halves } = globalThis;
const { AREA_COMPARISONS, AREA_SHARED, AREAS_SIZE } = memory;
const BUSY = memory.CONTROL["busy"];

/**
 * Bytes of the window: of larger areas, hits beyond it are written more slowly. Also what
 * `process.memoryUsage().external` grows by.
 */
const WINDOW_SIZE = 8 * 1024 * 1024;
/** Blocks that can have a PC, of which each has a byte in the map of blocks. */
const BLOCKS = 0x10000000;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;
const MAP_FAILED = -1n;

/** An area as the table has it, mapped. */
interface Area {
  /** Two a word of the area's. */
  readonly halves: Int32Array;
  readonly words: number;
  readonly isShared: boolean;
  readonly takesComparisons: boolean;
}

/** What probes call, and where the window is. */
interface Probes {
  /** Of the window, for the agent's worker. */
  readonly address: bigint;
  /** Of the map of blocks, which hits mark. */
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
 * Makes what an isolate's probes call. PCs are lower halves, as signed numbers, which V8 keeps without
 * boxes.
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
  const areas = new Areas(control, (from, size) => new Halves(koffi.view(from, size)));
  // Numbers that V8 takes for constants, as it does both arrays: the whole function is some ten
  // instructions where it is inlined (see `inline_probes.cts`).
  const LIMIT = memory.CONTROL["limit"];
  const ENOUGH = memory.CONTROL["enough"];
  const hit = (pc: number): void => {
    marks[pc >>> 3 & 0xfffffff] = 1;
    // First, and used twice, so that V8 reads it first: what was read of the window before its limit may
    // be of another time.
    const limit = control[LIMIT];
    const count = area[0] + 1 | 0;
    if (count < limit) {
      area[0] = count;
      const at = count << 1;
      area[at] = pc;
      area[at + 1] = -1;
    } else if (limit !== control[ENOUGH]) areas.hit(pc);
  };
  return { address, blocks, hit, compare: (pc, ...record) => areas.compare(pc, record) };
}

/**
 * All areas, for what the window is not enough for.
 *
 * The isolate may stand still anywhere in here, in a collection of garbage, say, or at a gate: so it says
 * that it is busy, before it looks which table holds, as often as it is: a debugger's code may interrupt it. Whoever reads that waits until the processor must
 * have written it to memory, which is much cheaper than for this side to see to it at each hit (measured:
 * 7 and 30 ns).
 */
class Areas {
  readonly #control: Int32Array;
  readonly #view: (address: bigint, size: number) => Int32Array;
  #areas: readonly Area[] = [];
  #generation = 0;

  constructor(control: Int32Array, view: (address: bigint, size: number) => Int32Array) {
    this.#control = control;
    this.#view = view;
  }

  hit(pc: number): void {
    this.#control[BUSY]++;
    try {
      this.#hit(pc);
    } finally {
      this.#control[BUSY]--;
    }
  }

  #hit(pc: number): void {
    const areas = this.#current();
    for (let i = 0; i < areas.length; i++) {
      const area = areas[i];
      if (area.takesComparisons) continue;
      const place = claim(area, 1);
      if (place < 0) continue;
      const at = 2 * (place + 1);
      area.halves[at] = pc;
      area.halves[at + 1] = -1;
    }
  }

  /** What is recorded of a comparison is four words, the last its PC. */
  compare(pc: number, record: readonly number[]): void {
    this.#control[BUSY]++;
    try {
      this.#compare(pc, record);
    } finally {
      this.#control[BUSY]--;
    }
  }

  #compare(pc: number, record: readonly number[]): void {
    const areas = this.#current();
    for (let i = 0; i < areas.length; i++) {
      const area = areas[i];
      if (!area.takesComparisons) continue;
      const place = claim(area, 4);
      if (place < 0) continue;
      const { halves } = area;
      const at = 2 * (4 * place + 1);
      halves[at] = record[0];
      halves[at + 1] = 0;
      for (let half = 1; half < 5; half++) halves[at + 1 + half] = record[half];
      halves[at + 6] = pc;
      halves[at + 7] = -1;
    }
  }

  #current(): readonly Area[] {
    const generation = this.#control[memory.CONTROL["generation"]];
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#areas = this.#read(generation);
    }
    return this.#areas;
  }

  #read(generation: number): Area[] {
    const { low, high, words, flags, size } = memory.AREA;
    const start = memory.CONTROL["areas"] + (generation & 1) * AREAS_SIZE;
    const table = this.#control.subarray(start, start + AREAS_SIZE);
    const areas: Area[] = [];
    for (let i = 0; i < table[0]; i++) {
      const row = table.subarray(1 + i * size, 1 + (i + 1) * size);
      const address = toBigInt(row[low] >>> 0) | toBigInt(row[high] >>> 0) << 32n;
      areas[i] = {
        halves: this.#view(address, row[words] * 8),
        words: row[words],
        isShared: (row[flags] & AREA_SHARED) !== 0,
        takesComparisons: (row[flags] & AREA_COMPARISONS) !== 0,
      };
    }
    return areas;
  }
}

/**
 * Takes the next place in an area for a record of so many words; -1 when it is full. The count goes first,
 * as in the kernel. Others may take places at the same time.
 */
function claim({ halves, words, isShared }: Area, size: number): number {
  for (;;) {
    const count = halves[0];
    if (halves[1] !== 0 || count < 0 || 1 + (count + 1) * size > words) return -1;
    if (!isShared) {
      halves[0] = count + 1;
      return count;
    }
    if (compareExchange(halves, 0, count, count + 1) === count) return count;
  }
}

module.exports = { makeProbes, WINDOW_SIZE, BLOCKS };
