/**
 * The words that an agent's worker shares with an isolate of the target, as ESM has them: see `memory.cts`.
 */
import memory, { type Memory } from "./memory.cts";

const { CONTROL, AGENT_SYMBOL, ...others } = memory as unknown as Memory;

export { CONTROL };
export const { CONTROL_SIZE, AREA, AREA_COMPARISONS, AREA_FOLDS, AREAS_SIZE } = others;
export const { COUNT_BITS, READY, ABSENT } = others;
export const { GATES, GATE_CLOSED, GATE_WAITING, GATE_OPEN } = others;

/** The text of a call to an isolate's side; its URL makes it one of the runtime's scripts. */
export function agentCall(call: string): string {
  return `globalThis[Symbol.for("${AGENT_SYMBOL}")].${call}\n//# sourceURL=node:kcovfs`;
}

/** Gives the isolate its target's name, or before {@linkcode ABSENT} the reason why there is no coverage. */
export function writeText(control: Int32Array, text: string): void {
  const bytes = Buffer.from(text).subarray(0, (CONTROL.areas - CONTROL.text) * 4);
  new Uint8Array(control.buffer).set(bytes, CONTROL.text * 4);
  Atomics.store(control, CONTROL.textLength, bytes.length);
}
