import { inTime } from "./in_time.ts";
import { JobThread } from "./job_thread.ts";
import { SystemCallError } from "./system_calls.ts";
import { Pidfd } from "./pidfd.ts";
import { ThreadEnds } from "./thread_ends.ts";
import type { NamedProcess } from "./thread_facts.ts";
import type { ThreadId } from "./thread_id.ts";

/** A thread of this machine that is being watched. */
export interface Thread extends Disposable {
  readonly tid: ThreadId;
  /** A number of its own: no other thread that this process has watched has it. */
  readonly serial: number;
  /** Whether it is known to have ended; this asks nobody. Once true it stays true. */
  readonly hasEnded: boolean;
  /** Updates {@linkcode hasEnded}. It may take long; the result is never wrong. */
  look(): Promise<void>;
}

/** How threads are watched. */
export interface ThreadsOptions {
  /** ms between two looks at threads whose end the kernel does not tell. @default {100} */
  readonly sweep?: number;
  /** Whether to use descriptors of threads, where the kernel has them. @default {true} */
  readonly usesPidfds?: boolean;
}

/** A request to the thread that reads `/proc`. */
export interface FactsRequest {
  readonly kind: "starts" | "names";
  readonly tids: readonly ThreadId[];
}

/** The answer, in the order of the request; null for a number that is no thread's. */
export interface FactsReply {
  readonly starts?: readonly (number | null)[];
  readonly names?: readonly (NamedProcess | null)[];
}

/** Tells `thread_facts_worker.ts` that it was started as such. */
export const THREAD_FACTS = "kcovfs thread facts";
/** ms that the thread which reads `/proc` has: the owner of a lock that it needs may keep it for ever. */
const PATIENCE = 1000;
/** The same, where no answer would mean a refusal or a missing name. */
const MOST_PATIENCE = 10_000;
/** MB of stack. */
const STACK = 1;

/**
 * The threads that call us: whether they live, and in which process. A thread that anybody waits for takes
 * none of their locks, since the owner of a lock may in turn be waiting for us. `exec`, for example, closes
 * our files under `exec_update_lock` (measured on Linux 6.18: reading `/proc/TID/stat` then waits for ever).
 *
 * Since Linux 6.11 descriptors tell all of it, and at once. On older kernels a thread of our own reads when
 * threads began, every 100 ms and when somebody asks.
 */
export class Threads implements AsyncDisposable {
  readonly #sweep: number;
  readonly #usesPidfds: boolean;
  readonly #ends = new ThreadEnds();
  readonly #reader = new JobThread<FactsRequest, FactsReply>({
    module: new URL("./thread_facts_worker.js", import.meta.url),
    ...{ name: THREAD_FACTS, job: "read what threads there are", stackSize: STACK },
  });
  readonly #watched = new Set<WatchedThread>();
  #canUsePidfds: boolean | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextSerial = 1;

  constructor(options: ThreadsOptions = {}) {
    this.#sweep = options.sweep ?? 100;
    this.#usesPidfds = options.usesPidfds ?? true;
  }

  /** Whether the kernel tells at once when any thread of a process ends. */
  get #hasPidfds(): boolean {
    return this.#canUsePidfds ??= this.#usesPidfds && canUsePidfds();
  }

  /**
   * Watches a thread until the result is disposed of.
   *
   * @param onEnd Is called once, when the thread has ended; not before this has resolved.
   * @returns undefined when there is no such thread.
   * @throws {SystemCallError} EMFILE, ENFILE or ENOMEM when this process has no descriptor left.
   */
  async find(tid: ThreadId, onEnd: () => void): Promise<Thread | undefined> {
    if (!(tid > 0)) return undefined;
    const thread = this.#hasPidfds ? this.#describe(tid, onEnd) : new WatchedThread(
      { tid, serial: this.#nextSerial++, onEnd, look: (thread) => this.#look([thread]) },
      this.#watched,
    );
    if (!thread || !this.#hasPidfds && !await this.#learnStart(thread)) return undefined;
    // Descriptors do not wake us for a first thread that has ended before the others.
    this.#timer ??= setInterval(() => this.#sweepAll(), this.#sweep).unref();
    return thread;
  }

  #describe(tid: ThreadId, onEnd: () => void): WatchedThread | undefined {
    const pidfd = openThread(tid);
    if (!pidfd) return undefined;
    const serial = this.#nextSerial++;
    const thread = new WatchedThread({ tid, serial, onEnd, pidfd }, this.#watched);
    this.#watched.add(thread);
    try {
      thread.stop = this.#ends.watch(pidfd, () => thread.end());
    } catch (error) {
      thread[Symbol.dispose]();
      throw error;
    }
    return thread;
  }

  #sweepAll(): void {
    if (this.#watched.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else if (this.#hasPidfds) {
      for (const thread of [...this.#watched]) if (thread.hasEnded) thread.end();
    } else this.#look([...this.#watched]);
  }

  /** @returns whether there is such a thread. */
  async #learnStart(thread: WatchedThread): Promise<boolean> {
    const [start] = await this.#readStarts([thread.tid], MOST_PATIENCE) ?? [];
    if (typeof start !== "number") return false;
    thread.start = start;
    this.#watched.add(thread);
    return true;
  }

  async #look(threads: readonly WatchedThread[]): Promise<void> {
    const starts = await this.#readStarts(threads.map(({ tid }) => tid));
    starts?.forEach((start, i) => start !== threads[i].start && threads[i].end());
  }

  /** Undefined when no answer comes in time. */
  async #readStarts(
    tids: readonly ThreadId[],
    patience = PATIENCE,
  ): Promise<FactsReply["starts"]> {
    return (await this.#read({ kind: "starts", tids }, patience))?.starts;
  }

  #read(request: FactsRequest, patience: number): Promise<FactsReply | undefined> {
    return inTime(this.#reader.run(request), patience).catch(() => undefined);
  }

  /** The process of a thread; undefined when it is gone, or cannot be told in time. Never rejects. */
  async nameOf(tid: ThreadId): Promise<NamedProcess | undefined> {
    if (!(tid > 0)) return undefined;
    using pidfd = this.#hasPidfds ? openThread(tid, { isPatient: true }) : undefined;
    if (this.#hasPidfds && !pidfd) return undefined;
    const reply = await this.#read({ kind: "names", tids: [tid] }, MOST_PATIENCE);
    // If it has ended, its number may be another thread's by now.
    return pidfd?.hasEnded ? undefined : reply?.names?.[0] ?? undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const thread of this.#watched) thread[Symbol.dispose]();
    await this.#ends[Symbol.asyncDispose]();
    await this.#reader[Symbol.asyncDispose]();
  }
}

function canUsePidfds(): boolean {
  try {
    using own = Pidfd.open(process.pid, { isThread: true });
    return own.tellsOfFirstThreads;
  } catch {
    return false;
  }
}

const TEMPORARY: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/**
 * A thread's descriptor; undefined when it has ended.
 *
 * @param options `isPatient`: whether to return undefined, too, when no descriptor can be had now.
 */
function openThread(tid: ThreadId, options: { isPatient?: boolean } = {}): Pidfd | undefined {
  let pidfd: Pidfd;
  try {
    pidfd = Pidfd.open(tid, { isThread: true });
  } catch (error) {
    if (TEMPORARY.has((error as SystemCallError).code) && !options.isPatient) throw error;
    return undefined;
  }
  if (!pidfd.hasEnded) return pidfd;
  pidfd[Symbol.dispose]();
  return undefined;
}

/** A thread by its descriptor, or else by its number and the time when it began. */
class WatchedThread implements Thread {
  readonly tid: ThreadId;
  readonly serial: number;
  /** Clock ticks since boot. */
  start: number | undefined;
  /** Ends the watch of the descriptor. */
  stop: (() => void) | undefined;
  readonly #onEnd: () => void;
  readonly #pidfd: Pidfd | undefined;
  readonly #look: ((thread: WatchedThread) => Promise<void>) | undefined;
  readonly #watched: Set<WatchedThread>;
  #hasEnded = false;

  /**
   * @param thread `look`: finds out whether it has ended, where no descriptor tells.
   * @param watched Holds this thread until its end was reported or it is disposed of.
   */
  constructor(
    thread: {
      tid: ThreadId;
      serial: number;
      onEnd: () => void;
      pidfd?: Pidfd;
      look?: (thread: WatchedThread) => Promise<void>;
    },
    watched: Set<WatchedThread>,
  ) {
    this.tid = thread.tid;
    this.serial = thread.serial;
    this.#onEnd = thread.onEnd;
    this.#pidfd = thread.pidfd;
    this.#look = thread.look;
    this.#watched = watched;
  }

  get hasEnded(): boolean {
    return this.#hasEnded ||= this.#pidfd?.hasEnded ?? false;
  }

  async look(): Promise<void> {
    await this.#look?.(this);
  }

  end(): void {
    if (!this.#watched.has(this)) return;
    this.#hasEnded = true;
    this[Symbol.dispose]();
    this.#onEnd();
  }

  [Symbol.dispose](): void {
    if (!this.#watched.delete(this)) return;
    this.stop?.();
    this.#pidfd?.[Symbol.dispose]();
  }
}
