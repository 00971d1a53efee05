import type { CollectorName } from "../messages/protocol.ts";
import { inTime, LateError } from "../base/in_time.ts";
import { loopRound } from "../base/loop_round.ts";
import type { Link, Taken } from "./link.ts";
import { threadActivity } from "./thread_activity.ts";
import { type TargetId, type UnitId, unitId } from "../kcov/ids.ts";
import type { ThreadId } from "../base/thread_id.ts";

/** What a target says of itself. */
export interface TargetInfo {
  readonly name: string;
  /** 0 where it is not known, or in a pid namespace that the server does not see. */
  readonly pid: number;
  /** The user whose process it is, where that is known. */
  readonly uid?: number;
  readonly runtime: string;
  /** What is to be said of it from the start, for `ps`. */
  readonly remark?: string;
  /** The target of the thread that has started it, for one of a worker thread. */
  readonly parent?: Target;
  /** The kernel's number of its thread, where that is not the process's main thread; 0 for one not known. */
  readonly tid?: ThreadId;
  /** Globs of the scripts that are measured, besides the server's. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** How the blocks that it executes are learned. @default {"v8"} */
  readonly collector?: CollectorName;
  /** Of one with probes: why it cannot be held, if so. */
  readonly unheld?: string;
}

/** What a {@linkcode Target} needs to know. */
export interface TargetOptions {
  readonly id: TargetId;
  readonly info: TargetInfo;
  readonly hold: Hold;
  /** Called after each change of note or end. */
  readonly onChange: (target: Target) => void;
}

/**
 * `running`: as it likes. `held`: it may not. `late`: it did not answer in time, and is hardly waited for
 * until it does. `ended`: it is gone.
 */
export type TargetState = "running" | "held" | "late" | "ended";

/** `none`: targets are never held, and reads are a best effort. */
export type Hold = "auto" | "none";

/** How often a collection whose hold failed is made anew before the target is left unheld. */
const ATTEMPTS = 5;
/**
 * ms that a late target is waited for if it has run since it was looked at last. One that was stopped and
 * goes on may serve its client before its answer is here.
 */
const GRACE = 250;

/** One measured isolate. */
export class Target {
  /** Goes with the name: a target that comes back under its name has the same. */
  readonly id: TargetId;
  readonly info: TargetInfo;
  readonly link: Link;
  /** Why the target is not, or was not, collected from; empty when all is well. */
  note = "";
  /**
   * Whether it is not to be collected from, and so not held: it is not running yet, or its probes write into
   * files that clients map, and nothing else. It is the tracer's to say.
   */
  isFree = false;
  #state: TargetState = "running";
  /** Coverage that came too late for the collection it was meant for. */
  #backlog: Uint8Array[] = [];
  /** Of a late target: settled when it has answered, and its activity when it was looked at last. */
  #answered: Promise<void> = Promise.resolve();
  #activity: string | undefined;
  readonly #hold: Hold;
  readonly #onChange: (target: Target) => void;

  constructor(link: Link, options: TargetOptions) {
    this.#hold = link.hold === "none" ? "none" : options.hold;
    this.id = options.id;
    this.info = options.info;
    this.link = link;
    this.#onChange = options.onChange;
    link.closed.then((reason) => {
      this.#state = "ended";
      this.#say(reason);
    });
  }

  /** The targets that are stopped and let go together with it have the same: the number of the first. */
  get unit(): UnitId {
    return this.info.parent?.unit ?? unitId(this.id);
  }

  get state(): TargetState {
    return this.#state;
  }

  /** How it is held, for `ps`. */
  get hold(): string {
    if (this.isFree) return "unneeded";
    return this.#hold === "none" ? "unheld" : this.link.hold;
  }

  /** Says more on its end than the connection told. */
  explainEnd(note: string): void {
    if (this.#state === "ended") this.#say(note);
  }

  #say(note: string): void {
    if (this.note === note) return;
    this.note = note;
    this.#onChange(this);
  }

  /**
   * Collects and holds. Never rejects.
   *
   * @param options `run`: see {@linkcode Link.stop}. `timeout`: ms after which it goes on without.
   * @returns what was collected, in order: more than one piece when something had come late.
   */
  async stop(options: { run: number; timeout: number }): Promise<Uint8Array[]> {
    if (this.#state === "late" && this.#hasRun()) {
      await inTime(this.#answered, Math.min(options.timeout, GRACE)).catch(() => {});
    }
    if (this.#state === "ended" || this.#state === "late") return this.#takeBacklog();
    this.#state = "held";
    const stopping = this.#stopLink(options.run);
    const taken = await this.#inTime(options.timeout, stopping).catch(() => undefined);
    if (taken) return [...this.#takeBacklog(), ...taken];
    stopping.then((pieces) => this.#backlog.push(...pieces));
    return this.#takeBacklog();
  }

  /** Sources of scripts. Rejects when the target goes or does not answer within `timeout` ms. */
  async fetchSources(
    scriptIds: readonly string[],
    options: { timeout: number },
  ): Promise<ReadonlyMap<string, string>> {
    return await this.#inTime(options.timeout, this.link.fetchSources(scriptIds));
  }

  /** Waits so long for an answer; without one the target is late until it comes. */
  async #inTime<T>(timeout: number, answer: Promise<T>): Promise<T> {
    try {
      return await inTime(answer, timeout);
    } catch (error) {
      if (!(error instanceof LateError)) throw error;
      if (this.#state !== "ended") this.#state = "late";
      this.#say(error.message);
      this.#activity = threadActivity(this.info.pid, this.info.tid);
      const recover = () => this.#recover();
      this.#answered = answer.then(recover, recover);
      throw error;
    }
  }

  /** Whether its thread has run since this was asked last; true where nobody can tell. */
  #hasRun(): boolean {
    const before = this.#activity;
    this.#activity = threadActivity(this.info.pid, this.info.tid);
    return this.#activity === undefined || this.#activity !== before;
  }

  /** It answered after all. */
  #recover(): void {
    if (this.#state !== "late") return;
    this.#state = "running";
    this.link.release();
    this.#say("");
  }

  /** Never rejects: a target that goes meanwhile has brought what it has brought. */
  async #stopLink(run: number): Promise<Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const hold = this.#hold === "auto";
        const taken: Taken = await this.link.stop({ run: attempt === 0 ? run : 0, hold });
        if (taken.coverage.length > 0) pieces.push(taken.coverage);
        if (hold && !taken.held) continue;
        // A late one says so when it runs again.
        if (this.#state !== "late") this.#say("");
        return pieces;
      }
      this.#say("cannot be held");
    } catch (error) {
      // What is to be said of one that is going is said when it has gone.
      const going = this.link.closed.then(() => "");
      const note = await Promise.race([going, loopRound().then(() => (error as Error).message)]);
      if (note !== "") this.#say(note);
    }
    return pieces;
  }

  #takeBacklog(): Uint8Array[] {
    const backlog = this.#backlog;
    this.#backlog = [];
    return backlog;
  }

  release(): void {
    if (this.#state !== "held") return;
    this.#state = "running";
    this.link.release();
  }
}
