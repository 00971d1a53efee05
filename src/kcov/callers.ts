import type { ThreadId } from "../base/thread_id.ts";

/** A process that uses the device. */
export interface Client {
  readonly pid: number;
  /** As it calls itself, in `/proc/PID/comm`: any text, of 15 bytes at most. */
  readonly name: string;
}

/** A thread that has enabled an instance; to be disposed of when it has it no longer. */
export interface Owner extends Disposable {
  readonly tid: ThreadId;
  /** A thread that has the same number later has another. */
  readonly serial: number;
  /** As far as it can be told now. Once true it stays true. */
  readonly hasEnded: boolean;
  /** Has {@linkcode hasEnded} found out. */
  look(): Promise<void>;
}

/** Facts about calling threads that no message brings. Asking for them takes no lock that a caller may hold. */
export interface Callers {
  /**
   * Identifies a thread; undefined when there is none by this number. Calls `onEnd` when it has ended, but
   * not before this has resolved.
   *
   * @throws when this process has no means left to watch it.
   */
  find(tid: ThreadId, onEnd: () => void): Promise<Owner | undefined>;
  /** The process of a thread; undefined where it is not to be seen, or not in time. Never rejects. */
  nameOf(tid: ThreadId): Promise<Client | undefined>;
  /** Reads the memory of a thread that waits for us; undefined where it cannot be read whole, or in time. */
  readMemory(tid: ThreadId, range: { at: bigint; size: number }): Promise<Uint8Array | undefined>;
}
