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
  /** 1 while the isolate's last coverage matters. */
  armed: 3,
  /** The serial number of the order that a worker thread is to carry out; all others are given up. */
  order: 4,
  /** Of the main thread's memory: how many threads need V8's `--allow-natives-syntax`. */
  natives: 5,
  /** Bytes of the target's name. */
  nameLength: 6,
  /** Two words a gate begin here: its state, and its serial number. */
  gates: 16,
  /** The target's name begins here. */
  name: 32,
} as const;

/** Coverage is on: user code may start. */
export const READY = 1;
/** There is no server, or it refused: user code starts without coverage. */
export const ABSENT = 2;

/** Gates in use at a time are at most two; each has an expression of its own, which V8 caches. */
export const GATES = 8;

/** Bytes of the shared memory. */
export const CONTROL_SIZE = (CONTROL.name + 64) * 4;

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

/** Tells the isolate its target's name. */
export function writeName(control: Int32Array, name: string): void {
  const bytes = Buffer.from(name).subarray(0, CONTROL_SIZE - CONTROL.name * 4);
  new Uint8Array(control.buffer).set(bytes, CONTROL.name * 4);
  Atomics.store(control, CONTROL.nameLength, bytes.length);
}
