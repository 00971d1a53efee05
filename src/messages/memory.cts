/**
 * The shared words of an agent's worker and an isolate of the target, as both sides know them. This file
 * is loaded into every target, and loads nothing.
 */
const CONTROL = {
  /** 0 while the worker starts, then {@linkcode READY} or {@linkcode ABSENT}. */
  state: 0,
  /** 1 when the worker has nothing left to do for the exit of the target. */
  farewell: 1,
  /** The descriptor of the pipe at which the isolate's thread waits. */
  pipe: 2,
  /** The serial number of the order that a worker thread is to carry out; all other orders are given up. */
  order: 3,
  /** In the main thread's words: the number of threads that need V8's `--allow-natives-syntax`. */
  natives: 4,
  /** Bytes of the text. */
  textLength: 5,
  /** Words of the area in the window; probes write these without looking further. 0 if there is none. */
  limit: 6,
  /**
   * If `limit` equals this, hits beyond it are dropped; otherwise they go by the table of areas, which also says
   * what is folded.
   */
  enough: 7,
  /** Not 0 while comparisons are recorded. */
  comparisons: 8,
  /** The number of the table of areas that holds; its lowest bit says which of the two it is. */
  generation: 9,
  /** Changes when an answer has come for the isolate's side. */
  answers: 10,
  /** Not 0 while hits write by the table of areas: counts nested entries; raised before the table is read. */
  busy: 11,
  /** In a worker thread's words: 1 once the thread was ordered to end. */
  terminated: 12,
  /** The gates begin here, two words each: the gate's state, and its serial number. */
  gates: 16,
  /** The text begins here: the target's name, or why it is no target. */
  text: 32,
  /** The two tables of areas begin here: see `areas.ts`. */
  areas: 96,
} as const;

/** Words of a table of areas: the number of areas, then {@linkcode AREA}'s words for each. */
const AREAS_SIZE = 2048;
/**
 * The words of an area: the halves of its address, its number of words, and {@linkcode AREA_COMPARISONS} or
 * {@linkcode AREA_FOLDS}. If others write into it, too, also the halves of the address of its turns (see
 * `turns.ts`), the descriptor of their file, and this isolate's number as a writer; else 0.
 */
const AREA = {
  ...{ low: 0, high: 1, words: 2, flags: 3 },
  ...{ turnsLow: 4, turnsHigh: 5, turnsFd: 6, writer: 7 },
  size: 8,
} as const;
const AREA_COMPARISONS = 1;
const AREA_FOLDS = 2;

/**
 * The number of lower bits in a word of turns that count a writer's turns; the upper bits name the writer.
 * See `turns.ts`.
 */
const COUNT_BITS = 19;

/** Coverage is on: user code may start. */
const READY = 1;
/** There is no server, or it refused: user code starts without coverage. */
const ABSENT = 2;

/** At most two gates are in use at a time. Each has an expression of its own, which V8 caches. */
const GATES = 8;
/** The states of a gate: the main thread has not come to it, */
const GATE_CLOSED = 0;
/** waits for the gate's serial number to come through the pipe, */
const GATE_WAITING = 1;
/** or may pass. */
const GATE_OPEN = 2;

/** Bytes of the shared memory. */
const CONTROL_SIZE = (CONTROL.areas + 2 * AREAS_SIZE) * 4;

/**
 * The name of the symbol for the isolate's side, which has `sources(scriptIds)`, the main thread's
 * `gate(index)` and a worker thread's `attend()`.
 */
const AGENT_SYMBOL = "kcovfs.agent";

/** ms for the server to answer; after that the target starts without it. */
const START_TIMEOUT = 30_000;
/** ms for the server to take the last coverage. */
const FAREWELL_TIMEOUT = 30_000;

const { load, wait } = Atomics;
const { hrtime } = process;

/** ms on a monotonic clock: the clock of `Date` may be set meanwhile. */
function now(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Waits at a word of memory, in short turns, so that the inspector's messages can interrupt it. */
function waitFor(
  isOver: () => boolean,
  { control, index, timeout }: { control: Int32Array; index: number; timeout: number },
): void {
  const deadline = now() + timeout;
  while (!isOver() && now() < deadline) wait(control, index, load(control, index), 1);
}

/** The text that `writeText` of `shared_words.ts` wrote: the target's name, or why there is none. */
function textIn(control: Int32Array): string {
  const bytes = new Uint8Array(control.buffer, CONTROL.text * 4, load(control, CONTROL.textLength));
  return Buffer.from(bytes).toString();
}

const memory = {
  ...{ CONTROL, CONTROL_SIZE, AREA, AREA_COMPARISONS, AREA_FOLDS, AREAS_SIZE, COUNT_BITS },
  ...{ READY, ABSENT, GATES, GATE_CLOSED, GATE_WAITING, GATE_OPEN, AGENT_SYMBOL },
  ...{ START_TIMEOUT, FAREWELL_TIMEOUT, textIn, waitFor },
} as const;
module.exports = memory;
export type Memory = typeof memory;
