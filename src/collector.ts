import type { Engine, TargetCoverage } from "./coverage/engine.ts";
import type { Source } from "./kcov/mod.ts";
import type { Registry } from "./targets/registry.ts";
import type { Target } from "./targets/target.ts";

/** What a collector wires together. */
export interface CollectorOptions {
  readonly registry: Registry;
  readonly engine: Engine;
  /** Which scripts of a target are measured, by URL. */
  readonly filterFor: (target: Target) => (url: string) => boolean;
  readonly warn: (line: string) => void;
}

/** How often a collection is made anew because it brought scripts never seen before. */
const MOST_ROUNDS = 8;

/** The targets and what V8's counts mean, as the device sees them: a source of PCs. */
export class Collector implements Source {
  readonly #options: CollectorOptions;
  readonly #coverage = new WeakMap<Target, TargetCoverage>();
  /** What is under way to learn of a target's scripts; never rejects. */
  readonly #learning = new WeakMap<Target, Promise<unknown>>();
  /** The collection under way, or the last one. */
  #stopping: Promise<unknown> = Promise.resolve();

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  coverageOf(target: Target): TargetCoverage {
    let coverage = this.#coverage.get(target);
    if (!coverage) {
      coverage = this.#options.engine.target(this.#options.filterFor(target));
      this.#coverage.set(target, coverage);
    }
    return coverage;
  }

  /**
   * Making a block table takes as long as a script is large, and no target is held for that long: when
   * a collection brings scripts never seen before, the targets are let go until their tables are made,
   * and collected from again. One that never ends loading scripts is held at last, for the client waits.
   * Never rejects.
   */
  stop(options: { run: number }): Promise<Uint32Array> {
    const stopping = this.#stop(options);
    this.#stopping = stopping;
    return stopping;
  }

  async #stop(options: { run: number }): Promise<Uint32Array> {
    const { registry, engine } = this.#options;
    for (let round = 1;; round++) {
      const learning: Promise<void>[] = [];
      for (const { target, pieces } of await registry.stop(options)) {
        for (const piece of pieces) {
          const unknown = this.#absorb(target, piece);
          if (unknown.length === 0) continue;
          const { fetched, learned } = this.#learn(target, unknown);
          if (await fetched) learning.push(learned);
        }
      }
      if (learning.length === 0) return engine.drain();
      if (round < MOST_ROUNDS) registry.release();
      await Promise.all(learning);
      if (round === MOST_ROUNDS) return engine.drain();
    }
  }

  release(): void {
    this.#options.registry.release();
  }

  /**
   * Takes in a target's last coverage; what it executed is part of the next collection. Resolves when
   * nothing more is needed of the target, for scripts that a collection has asked it for neither.
   */
  async farewell(target: Target, coverage: Uint8Array): Promise<void> {
    const unknown = this.#absorb(target, coverage);
    if (unknown.length > 0) this.#learn(target, unknown);
    // It may have taken the target's coverage and not have looked at it yet.
    await this.#stopping;
    await this.#learning.get(target);
  }

  #absorb(target: Target, piece: Uint8Array): string[] {
    const coverage = this.coverageOf(target);
    try {
      const unknown = coverage.absorb(piece);
      const ignored = coverage.takeIgnored();
      if (ignored.length > 0) target.link.ignore(ignored);
      return unknown;
    } catch (error) {
      this.#warnOf(target, error);
      return [];
    }
  }

  /**
   * Has the sources of scripts fetched, and then their tables made. Neither promise rejects.
   *
   * @returns `fetched`: whether the target gave its sources.
   */
  #learn(
    target: Target,
    unknown: readonly string[],
  ): { fetched: Promise<boolean>; learned: Promise<void> } {
    const fetching = this.#fetch(target, unknown);
    const learned = fetching.then(async (sources) => {
      if (sources) await this.coverageOf(target).learn(sources, unknown);
      // What a target says of its functions may make no sense.
    }).catch((error) => this.#warnOf(target, error));
    this.#learning.set(target, Promise.all([this.#learning.get(target), learned]));
    return { fetched: fetching.then((sources) => sources !== undefined), learned };
  }

  #warnOf(target: Target, error: unknown): void {
    this.#options.warn(`Cannot read the coverage of ${target.info.name}: ${error}`);
  }

  async #fetch(
    target: Target,
    unknown: readonly string[],
  ): Promise<ReadonlyMap<string, string> | undefined> {
    const { warn, registry } = this.#options;
    try {
      return await target.fetchSources(unknown, { timeout: registry.collectTimeout });
    } catch (error) {
      warn(`Cannot fetch scripts of ${target.info.name}: ${(error as Error).message}`);
      this.coverageOf(target).postpone(unknown);
      return undefined;
    }
  }
}
