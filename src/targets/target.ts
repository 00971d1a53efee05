import type { CollectorName } from "../messages/protocol.ts";
import { inTime, LateError } from "../base/in_time.ts";
import { loopRound } from "../base/loop_round.ts";
import type { Link, Taken } from "./link.ts";
import { threadActivity } from "./thread_activity.ts";
import { type TargetId, type UnitId, unitId } from "../kcov/ids.ts";
import type { ThreadId } from "../base/thread_id.ts";

/** A target's own account of itself. */
export interface TargetInfo {
  readonly name: string;
  /** 0 if it is not known, or in a pid namespace that the server does not see. */
  readonly pid: number;
  /** The user who owns the process, if known. */
  readonly uid?: number;
  readonly runtime: string;
  /** A remark for `ps` from the start. */
  readonly remark?: string;
  /** For a worker thread: the target of the thread that has started it. */
  readonly parent?: Target;
  /** The kernel's number of its thread, if that is not the process's main thread; 0 if not known. */
  readonly tid?: ThreadId;
  /** Globs of the scripts that are measured; the server's apply, too. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** How the blocks that it executes are learned. @default {"v8"} */
  readonly collector?: CollectorName;
  /** For a target with probes: why it cannot be held. */
  readonly unheld?: string;
}

export interface TargetOptions {
  readonly id: TargetId;
  readonly info: TargetInfo;
  readonly hold: Hold;
  /** Called after its note has changed, or it has ended. */
  readonly onChange: (target: Target) => void;
}

/**
 * `running`: it may run. `held`: it may not. `late`: it did not answer in time, and is hardly waited for
 * until it does. `ended`: it is gone.
 */
export type TargetState = "running" | "held" | "late" | "ended";

/** `none`: targets are never held, and reads are a best effort. */
export type Hold = "auto" | "none";

/** The number of tries for a collection whose hold fails, before the target is left unheld. */
const ATTEMPTS = 5;
/**
 * ms for a late target to answer if it has run since the last look at it. A target that was stopped and
 * goes on may serve its client before its answer is here.
 */
const GRACE = 250;

/** One measured isolate. */
export class Target {
  /** Belongs to the name: a target that comes back under its name has the same number. */
  readonly id: TargetId;
  readonly info: TargetInfo;
  readonly link: Link;
  /** Why the target is not, or was not, collected from; empty if all is well. */
  note = "";
  /**
   * Whether it is not collected from, and so not held: it is not running yet, or its probes write only into
   * files that clients map. The tracer sets this.
   */
  isFree = false;
  #state: TargetState = "running";
  /** Coverage that came too late for its collection. */
  #backlog: Uint8Array[] = [];
  /** For a late target: settled when it has answered; and its activity at the last look. */
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

  /**
   * The number of the first target of its unit. All targets that are stopped and released together have it.
   */
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

  /** Gives a better reason for its end than the connection did. */
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
   * @param options `run`: see {@linkcode Link.stop}. `timeout`: ms after which it goes on without an answer.
   * @returns the collected pieces, in order: more than one if something had come late.
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

  /** Sources of scripts. Rejects if the target goes or does not answer within `timeout` ms. */
  async fetchSources(
    scriptIds: readonly string[],
    options: { timeout: number },
  ): Promise<ReadonlyMap<string, string>> {
    return await this.#inTime(options.timeout, this.link.fetchSources(scriptIds));
  }

  /** Waits for an answer for so long; if none comes, the target is late until it does. */
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

  /** Whether its thread has run since the last call; true if nobody can tell. */
  #hasRun(): boolean {
    const before = this.#activity;
    this.#activity = threadActivity(this.info.pid, this.info.tid);
    return this.#activity === undefined || this.#activity !== before;
  }

  /** It has answered after all. */
  #recover(): void {
    if (this.#state !== "late") return;
    this.#state = "running";
    this.link.release();
    this.#say("");
  }

  /** Never rejects: if a target goes meanwhile, the pieces that it has brought are kept. */
  async #stopLink(run: number): Promise<Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const hold = this.#hold === "auto";
        const taken: Taken = await this.link.stop({ run: attempt === 0 ? run : 0, hold });
        if (taken.coverage.length > 0) pieces.push(taken.coverage);
        if (hold && !taken.held) continue;
        // A late target loses its note only when it answers.
        if (this.#state !== "late") this.#say("");
        return pieces;
      }
      this.#say("cannot be held");
    } catch (error) {
      // If the target is going, its note follows when it has gone.
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
