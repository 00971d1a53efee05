/**
 * The words of memory that an agent's worker shares with the target's main thread. The main thread's
 * side is `preload.cts`, which cannot import this: keep the two in step.
 */
export const CONTROL = {
  /** 0 while the worker starts, then {@linkcode READY} or {@linkcode ABSENT}. */
  state: 0,
  /** 1 when the worker has nothing left to do for the exit of the target. */
  farewell: 1,
  /** The descriptor of the pipe at which the main thread waits. */
  pipe: 2,
  /** Two words a gate begin here: its state, and its serial number. */
  gates: 16,
} as const;

/** Coverage is on: user code may start. */
export const READY = 1;
/** There is no server, or it refused: user code starts without coverage. */
export const ABSENT = 2;

/** Gates in use at a time are at most two; each has an expression of its own, which V8 caches. */
export const GATES = 8;

/** Bytes of the shared memory. */
export const CONTROL_SIZE = (CONTROL.gates + 2 * GATES) * 4;

/** What a gate's state says: the main thread has not come to it, */
export const GATE_CLOSED = 0;
/** waits for the gate's serial number to come through the pipe, */
export const GATE_WAITING = 1;
/** or may pass. */
export const GATE_OPEN = 2;

/** The symbol under which the main thread's side is found: `gate(index)` and `sources(scriptIds)`. */
const AGENT_SYMBOL = "kcovfs.agent";

/** The text of a call of the main thread's side; its URL makes it one of the runtime's scripts. */
export function agentCall(call: string): string {
  return `globalThis[Symbol.for("${AGENT_SYMBOL}")].${call}\n//# sourceURL=node:kcovfs`;
}
