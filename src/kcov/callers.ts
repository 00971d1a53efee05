import { readMemory } from "./caller_memory.ts";
import { findOwner, type Owner } from "./owner.ts";

/** What is to be known of the threads that call, and no message brings. */
export interface Callers {
  /** Identifies a thread, or undefined when there is none by this id. */
  find(tid: number): Owner | undefined;
  /** Reads the memory of a thread that waits for us; undefined where it cannot be read whole. */
  readMemory(tid: number, range: { at: bigint; size: number }): Promise<Uint8Array | undefined>;
}

/** This machine's. */
export const CALLERS: Callers = { find: findOwner, readMemory };

/** Whether the thread still runs: no message tells of a thread's end. */
export function isCalling(callers: Callers, owner: Owner): boolean {
  return callers.find(owner.tid)?.startTime === owner.startTime;
}
