import type { ThreadId } from "../base/thread_id.ts";

/** A process that uses the device. */
export interface Client {
  readonly pid: number;
  /** The name in `/proc/PID/comm`, which the process may choose: any text, of 15 bytes at most. */
  readonly name: string;
}

/** A thread that has enabled an instance; dispose of it when it no longer has it enabled. */
export interface Owner extends Disposable {
  readonly tid: ThreadId;
  /** A later thread with the same number has another serial. */
  readonly serial: number;
  /** As far as is known now. Once true it stays true. */
  readonly hasEnded: boolean;
  /** Brings {@linkcode hasEnded} up to date. */
  look(): Promise<void>;
}

/** Facts about calling threads that no message has. To find them takes no lock that a caller may hold. */
export interface Callers {
  /**
   * Identifies a thread; undefined if no thread has this number. Calls `onEnd` when it has ended, but
   * not before this has resolved.
   *
   * @throws if this process has no means left to watch it.
   */
  find(tid: ThreadId, onEnd: () => void): Promise<Owner | undefined>;
  /** The process of a thread; undefined if it cannot be seen, or not in time. Never rejects. */
  nameOf(tid: ThreadId): Promise<Client | undefined>;
  /** Reads the memory of a thread that waits for us; undefined if it cannot be read whole, or in time. */
  readMemory(tid: ThreadId, range: { at: bigint; size: number }): Promise<Uint8Array | undefined>;
}
