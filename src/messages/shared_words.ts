/**
 * The words of memory that an agent's worker shares with an isolate of the target. The main thread's
 * side, and that of a worker thread of the target's, know it from `memory.cts`: keep the two in step.
 */
export const CONTROL = {
  /** 0 while the worker starts, then {@linkcode READY} or {@linkcode ABSENT}. */
  state: 0,
  /** 1 when the worker has nothing left to do for the exit of the target. */
  farewell: 1,
  /** The descriptor of the pipe at which the isolate's thread waits. */
  pipe: 2,
  /** The serial number of the order that a worker thread is to carry out; all others are given up. */
  order: 4,
  /** Of the main thread's memory: how many threads need V8's `--allow-natives-syntax`. */
  natives: 5,
  /** Bytes of the text. */
  textLength: 6,
  /** Words of the area in the window, which probes write without further ado; 0 where none is. */
  limit: 7,
  /** The limit with which the window is enough: at any other, the tables say where else hits go. */
  enough: 8,
  /** Not 0 where comparisons are recorded. */
  comparisons: 9,
  /** Which table of areas holds; its lowest bit says which of the two. */
  generation: 10,
  /** Changes when an answer has come for the isolate's side. */
  answers: 11,
  /** Not 0 while a hit writes by the table of areas. */
  busy: 12,
  /** Of a worker thread's memory: 1 once it was told to end. */
  terminated: 13,
  /** Two words a gate begin here: its state, and its serial number. */
  gates: 16,
  /** The target's name, or why it is none, begins here. */
  text: 32,
  /** The two tables of areas begin here: see `areas.ts`. */
  areas: 96,
} as const;

/** Words of a table of areas: how many there are, then {@linkcode AREA}'s words for each. */
export const AREAS_SIZE = 2048;
/**
 * The words of an area: the halves of its address, how many words it has, and {@linkcode AREA_COMPARISONS}.
 * Where others write into it, too: the halves of the address of its turns (see `turns.ts`), the descriptor of
 * their file, and which of the writers this isolate is; else 0.
 */
export const AREA = {
  ...{ low: 0, high: 1, words: 2, flags: 3 },
  ...{ turnsLow: 4, turnsHigh: 5, turnsFd: 6, writer: 7 },
  size: 8,
} as const;
export const AREA_COMPARISONS = 1;

/** Coverage is on: user code may start. */
export const READY = 1;
/** There is no server, or it refused: user code starts without coverage. */
export const ABSENT = 2;

/** Gates in use at a time are at most two; each has an expression of its own, which V8 caches. */
export const GATES = 8;

/** Bytes of the shared memory. */
export const CONTROL_SIZE = (CONTROL.areas + 2 * AREAS_SIZE) * 4;

/** What a gate's state says: the main thread has not come to it, */
export const GATE_CLOSED = 0;
/** waits for the gate's serial number to come through the pipe, */
export const GATE_WAITING = 1;
/** or may pass. */
export const GATE_OPEN = 2;

/**
 * The symbol under which an isolate's side is found: `sources(scriptIds)`, the main thread's
 * `gate(index)` and a worker thread's `attend()`.
 */
const AGENT_SYMBOL = "kcovfs.agent";

/** The text of a call of an isolate's side; its URL makes it one of the runtime's scripts. */
export function agentCall(call: string): string {
  return `globalThis[Symbol.for("${AGENT_SYMBOL}")].${call}\n//# sourceURL=node:kcovfs`;
}

/** Tells the isolate its target's name, or before {@linkcode ABSENT} why there is no coverage. */
export function writeText(control: Int32Array, text: string): void {
  const bytes = Buffer.from(text).subarray(0, (CONTROL.areas - CONTROL.text) * 4);
  new Uint8Array(control.buffer).set(bytes, CONTROL.text * 4);
  Atomics.store(control, CONTROL.textLength, bytes.length);
}
