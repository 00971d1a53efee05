/**
 * The words of memory that an agent's worker shares with an isolate of the target, as both sides know them. It
 * is loaded into every target, and loads nothing.
 */
const CONTROL = {
  /** 0 while the worker starts, then {@linkcode READY} or {@linkcode ABSENT}. */
  state: 0,
  /** 1 when the worker has nothing left to do for the exit of the target. */
  farewell: 1,
  /** The descriptor of the pipe at which the isolate's thread waits. */
  pipe: 2,
  /** The serial number of the order that a worker thread is to carry out; all others are given up. */
  order: 3,
  /** Of the main thread's memory: how many threads need V8's `--allow-natives-syntax`. */
  natives: 4,
  /** Bytes of the text. */
  textLength: 5,
  /** Words of the area in the window, which probes write without further ado; 0 where none is. */
  limit: 6,
  /** The limit with which the window is enough: at any other, the tables say where else hits go, or what is
   * to be folded. */
  enough: 7,
  /** Not 0 where comparisons are recorded. */
  comparisons: 8,
  /** Which table of areas holds; its lowest bit says which of the two. */
  generation: 9,
  /** Changes when an answer has come for the isolate's side. */
  answers: 10,
  /** Not 0 while a hit writes by the table of areas. */
  busy: 11,
  /** Of a worker thread's memory: 1 once it was told to end. */
  terminated: 12,
  /** Two words a gate begin here: its state, and its serial number. */
  gates: 16,
  /** The target's name, or why it is none, begins here. */
  text: 32,
  /** The two tables of areas begin here: see `areas.ts`. */
  areas: 96,
} as const;

/** Words of a table of areas: how many there are, then {@linkcode AREA}'s words for each. */
const AREAS_SIZE = 2048;
/**
 * The words of an area: the halves of its address, how many words it has, and {@linkcode AREA_COMPARISONS}
 * or {@linkcode AREA_FOLDS}.
 * Where others write into it, too: the halves of the address of its turns (see `turns.ts`), the descriptor of
 * their file, and which of the writers this isolate is; else 0.
 */
const AREA = {
  ...{ low: 0, high: 1, words: 2, flags: 3 },
  ...{ turnsLow: 4, turnsHigh: 5, turnsFd: 6, writer: 7 },
  size: 8,
} as const;
const AREA_COMPARISONS = 1;
const AREA_FOLDS = 2;

/** Bits of a word of turns that count a writer's turns; the others say which writer it is: see `turns.ts`. */
const COUNT_BITS = 19;

/** Coverage is on: user code may start. */
const READY = 1;
/** There is no server, or it refused: user code starts without coverage. */
const ABSENT = 2;

/** Gates in use at a time are at most two; each has an expression of its own, which V8 caches. */
const GATES = 8;
/** What a gate's state says: the main thread has not come to it, */
const GATE_CLOSED = 0;
/** waits for the gate's serial number to come through the pipe, */
const GATE_WAITING = 1;
/** or may pass. */
const GATE_OPEN = 2;

/** Bytes of the shared memory. */
const CONTROL_SIZE = (CONTROL.areas + 2 * AREAS_SIZE) * 4;

/**
 * The name of the symbol under which an isolate's side is found: `sources(scriptIds)`, the main thread's
 * `gate(index)` and a worker thread's `attend()`.
 */
const AGENT_SYMBOL = "kcovfs.agent";

/** ms that the server is given to answer before the target starts without it. */
const START_TIMEOUT = 30_000;
/** ms that the server is given to take the last coverage. */
const FAREWELL_TIMEOUT = 30_000;

const { load, wait } = Atomics;
const { hrtime } = process;

/** ms on a clock that only goes on: that of `Date` may be set meanwhile. */
function now(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Waits at a word of memory, in short turns, which lets the inspector's messages interrupt it. */
function waitFor(
  isOver: () => boolean,
  { control, index, timeout }: { control: Int32Array; index: number; timeout: number },
): void {
  const deadline = now() + timeout;
  while (!isOver() && now() < deadline) wait(control, index, load(control, index), 1);
}

/** What `writeText` of `shared_words.ts` wrote: the target's name, or why there is none. */
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
