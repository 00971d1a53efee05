import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeviceIoctl } from "../fuse/mod.ts";
import type { AreaFile, NamedTarget, Owner, Source } from "../kcov/mod.ts";
import type { Fact } from "./entry.ts";
import type { Witnessed } from "./witness.ts";
import { unitId } from "../kcov/mod.ts";
import type { ThreadId } from "../base/thread_id.ts";

/** Stands for a thread that is asked about before its fact has come, which may happen after memory was read. */
const UNTOLD = 0;

/** A thread that has enabled an instance of the recorded server. */
class RecordedOwner implements Owner {
  readonly tid: ThreadId;
  readonly serial: number;
  readonly #onEnd: () => void;
  hasEnded = false;

  constructor(tid: ThreadId, { serial, onEnd }: { serial: number; onEnd: () => void }) {
    this.tid = tid;
    this.serial = serial;
    this.#onEnd = onEnd;
  }

  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.#onEnd();
  }

  look(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.dispose](): void {}
}

/**
 * The facts that a replayed server learns otherwise than by messages: those that the recorded server learned.
 * There are no targets; nothing is ever executed.
 */
export class RecordedWorld implements Witnessed {
  readonly #starts = new Map<number, number | null>();
  readonly #owners = new Map<number, RecordedOwner>();
  readonly #memories = new Map<string, Memory>();
  readonly #results = new Map<number, (number | null)[]>();
  #targets: readonly NamedTarget[] = [];
  #comparable = false;
  #isDirect = false;
  /** Older recordings do not say: in them all were. */
  #isWritten = true;

  /** Whether areas can be files that targets write into. */
  get isDirect(): boolean {
    return this.#isDirect;
  }

  /** From now on the fact holds; the result of an ioctl is used once. */
  learn(fact: Fact): void {
    if ("thread" in fact) this.#learnThread(fact);
    else if ("memory" in fact) {
      const bytes = fact.bytes === null ? null : Uint8Array.from(Buffer.from(fact.bytes, "base64"));
      this.#memory(`${fact.tid} ${fact.memory}`).give(bytes ?? undefined);
    } else if ("targets" in fact) this.#targets = fact.targets;
    else if ("comparable" in fact) this.#comparable = fact.comparable;
    else if ("written" in fact) this.#isWritten = fact.written;
    else if ("ioctl" in fact) this.#resultsOf(fact.ioctl).push(fact.result);
    else if ("direct" in fact) {
      this.#isDirect = fact.direct;
      this.#results.clear();
    }
  }

  #learnThread(
    { thread, start }: { readonly thread: number; readonly start: number | null },
  ): void {
    // The thread was asked about already: it stays the one that it was then.
    if (this.#starts.get(thread) === UNTOLD && start !== null) return;
    this.#starts.set(thread, start);
    if (start === null) this.#owners.get(thread)?.end();
  }

  readonly source: Source = {
    stop: () => Promise.resolve([]),
    release() {},
    unitOf: (target) => unitId(target),
    trace: () => Promise.resolve(),
    canCompare: () => this.#comparable,
    canWrite: () => this.#isWritten,
  };

  readonly callers = {
    find: (tid: ThreadId, onEnd: () => void): Promise<Owner | undefined> => {
      if (!this.#starts.has(tid)) this.#starts.set(tid, UNTOLD);
      const serial = this.#starts.get(tid)!;
      if (serial === null) return Promise.resolve(undefined);
      const owner = new RecordedOwner(tid, { serial, onEnd });
      this.#owners.set(tid, owner);
      return Promise.resolve(owner);
    },
    nameOf: (): Promise<undefined> => Promise.resolve(undefined),
    readMemory: (tid: number, range: { at: bigint }): Promise<Uint8Array | undefined> =>
      this.#memory(`${tid} 0x${range.at.toString(16)}`).take(),
  };

  readonly targets = (): readonly NamedTarget[] => this.#targets;

  readonly ioctl = (_fd: number, { request }: DeviceIoctl): number => {
    const result = this.#resultsOf(request).shift() ?? null;
    if (result !== null) return result;
    throw Object.assign(new Error("it failed when it was recorded"), { code: "EIO" });
  };

  #memory(place: string): Memory {
    let memory = this.#memories.get(place);
    if (!memory) this.#memories.set(place, memory = new Memory());
    return memory;
  }

  #resultsOf(request: number): (number | null)[] {
    let results = this.#results.get(request);
    if (!results) this.#results.set(request, results = []);
    return results;
  }
}

/** The bytes that were read at a place, in turn. A reader may come before its bytes do. */
class Memory {
  readonly #given: (Uint8Array | undefined)[] = [];
  readonly #waiting: ((bytes: Uint8Array | undefined) => void)[] = [];

  give(bytes: Uint8Array | undefined): void {
    const next = this.#waiting.shift();
    if (next) next(bytes);
    else this.#given.push(bytes);
  }

  take(): Promise<Uint8Array | undefined> {
    if (this.#given.length > 0) return Promise.resolve(this.#given.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Makes an area's file without a name. It is sparse, and nobody maps it. */
export function makeScratchFile(): AreaFile {
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-replay-"));
  const path = join(folder, "area");
  const fd = openSync(path, "wx+", 0o600);
  rmSync(folder, { recursive: true });
  return {
    path,
    fd,
    grow: (bytes) => ftruncateSync(fd, bytes),
    [Symbol.dispose]: () => closeSync(fd),
  };
}
