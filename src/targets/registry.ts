import type { Link } from "./link.ts";
import { type Hold, Target, type TargetInfo } from "./target.ts";

/** What a registry needs to know. */
export interface RegistryOptions {
  /** ms after which a target that does not answer is left out of a collection. */
  readonly collectTimeout: number;
  readonly hold: Hold;
  /** Called after a target came, went or changed its note. */
  readonly onChange?: (target: Target) => void;
}

/** A target's part of a collection. */
export interface Collected {
  readonly target: Target;
  /** V8's script coverages as JSON texts, in order. */
  readonly pieces: readonly Uint8Array[];
}

/** Targets that have ended are kept for `ps`, so many of them. */
const MOST_ENDED = 16;
/** Characters of a name, which is to be a file's, with a number that makes it unique. */
const LONGEST_NAME = 200;

/** All targets, stopped and released as one. */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #targets = new Set<Target>();
  #nextId = 1;
  #isStopped = false;
  #waiting: (() => void)[] = [];

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  get collectTimeout(): number {
    return this.#options.collectTimeout;
  }

  /** Targets in the order in which they came, the last few that have ended among them. */
  get targets(): Target[] {
    return [...this.#targets];
  }

  /**
   * Resolves when the targets may run: a new one must not start while the others are held, for it would
   * run unheld. Add it before anything else is awaited.
   */
  untilRunning(): Promise<void> {
    if (!this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Adds a target, which has not run yet or is about to; its name is made unique.
   *
   * @param parent Of a worker thread, the target of the thread that has started it.
   */
  add(link: Link, info: TargetInfo, parent?: Target): Target {
    const target = new Target(link, {
      id: this.#nextId++,
      info: { ...info, name: this.#uniqueName(info.name) },
      parent,
      hold: this.#options.hold,
      onChange: (target) => this.#options.onChange?.(target),
    });
    this.#targets.add(target);
    link.closed.then(() => this.#forgetEnded());
    this.#options.onChange?.(target);
    return target;
  }

  #uniqueName(wanted: string): string {
    const plain = wanted.replace(/[^\w.@+-]+/g, "_").replace(/^\.+/, "") || "target";
    // That of what a process starts has the process's name in it, and so on.
    const name = plain.slice(0, LONGEST_NAME);
    const taken = new Set(this.targets.filter(isAlive).map((target) => target.info.name));
    if (!taken.has(name)) return name;
    for (let i = 2;; i++) if (!taken.has(`${name}-${i}`)) return `${name}-${i}`;
  }

  #forgetEnded(): void {
    const ended = this.targets.filter((target) => !isAlive(target));
    for (const target of ended.slice(0, -MOST_ENDED)) this.#targets.delete(target);
  }

  /** Collects from all targets and holds them until {@linkcode release}. Never rejects. */
  async stop(options: { run: number }): Promise<Collected[]> {
    this.#isStopped = true;
    // Those that a release in this very turn lets in are added first, and stopped with the others.
    await Promise.resolve();
    if (!this.#isStopped) return [];
    // A worker thread is reached by way of its process's main thread.
    const threads = this.targets.filter(({ parent }) => parent);
    const collected = await this.#stopAll(threads, options);
    if (!this.#isStopped) return collected;
    const others = this.targets.filter(({ parent }) => !parent);
    return [...collected, ...await this.#stopAll(others, options)];
  }

  #stopAll(targets: readonly Target[], options: { run: number }): Promise<Collected[]> {
    const { collectTimeout: timeout } = this.#options;
    return Promise.all(targets.map(async (target) => ({
      target,
      pieces: await target.stop({ run: options.run, timeout }),
    })));
  }

  /** The target of a number, unless it has ended. */
  find(id: number): Target | undefined {
    return this.targets.find((target) => target.id === id && isAlive(target));
  }

  release(): void {
    this.#isStopped = false;
    for (const target of this.#targets) target.release();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}

function isAlive(target: Target): boolean {
  return target.state !== "ended";
}
