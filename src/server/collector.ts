import type { CoveredBlocks } from "../symbols/covered_blocks.ts";
import type { Engine, TargetCoverage } from "../scripts/engine.ts";
import type { Segment } from "../symbols/pc_space.ts";
import { hasProbes } from "../scripts/standalone.ts";
import type { EnabledArea, Scope, Source, TargetPcs } from "../kcov/mod.ts";
import type { Registry } from "../targets/registry.ts";
import type { Target } from "../targets/target.ts";
import type { Tracer } from "./trace/writers.ts";
import { hasUnit, type Units } from "../kcov/coherence/unit.ts";
import type { Reporter } from "../base/reporter.ts";
import type { TargetId, UnitId } from "../kcov/mod.ts";

export interface CollectorOptions {
  readonly registry: Registry;
  readonly engine: Engine;
  /** Takes the blocks that each target has executed. */
  readonly covered: CoveredBlocks;
  /** All scripts that have PCs, by ascending base. */
  readonly segments: () => readonly Segment[];
  /** Gives targets their areas; absent where no target has probes. */
  readonly tracer?: Tracer;
  /** The filter for a target's scripts, by URL. */
  readonly filterFor: (target: Target) => (url: string) => boolean;
  readonly reporter: Reporter;
}

/** One stop of units. */
interface Round {
  /** µs that the targets must run first. */
  readonly run: number;
  readonly units: Units;
}

/** The most collections for one stop: each new one follows from scripts that the last one saw first. */
const MOST_ROUNDS = 8;

/** The targets, and the meaning of V8's counts, as devices see them: a source of PCs. */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #coverage = new WeakMap<Target, TargetCoverage>();
  /** For each target, the learning of its scripts that is under way; never rejects. */
  readonly #learning = new WeakMap<Target, Promise<unknown>>();
  /** Targets that may have executed more than collections have brought. */
  readonly #undrained = new Set<Target>();
  /** The collections under way. */
  readonly #stopping = new Set<{ units: Units; done: Promise<unknown> }>();

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  unitOf(target: TargetId): UnitId {
    return this.#options.registry.unitOf(target);
  }

  /** The source of PCs for a device. */
  sourceFor(device: object): Source {
    const { tracer } = this.#options;
    return {
      stop: (options) => this.stop(options),
      release: (units) => this.release(units),
      unitOf: (target) => this.unitOf(target),
      trace: (areas: readonly EnabledArea[]) => tracer?.trace(device, areas) ?? Promise.resolve(),
      canCompare: (scope: Scope) => tracer?.canCompare(scope) ?? false,
      canWrite: (scope: Scope) => tracer?.canWrite(scope) ?? false,
    };
  }

  coverageOf(target: Target): TargetCoverage {
    let coverage = this.#coverage.get(target);
    if (!coverage) {
      const { engine, covered, filterFor } = this.#options;
      coverage = engine.target(filterFor(target), {
        isProbed: (source) => readsProbes(target, source),
        marksOf: (segment) => covered.marksOf(target.info.name, segment),
      });
      this.#coverage.set(target, coverage);
    }
    return coverage;
  }

  /**
   * To make a block table takes the longer the larger a script is, and no target is held for that long. When
   * a collection brings scripts never seen before, the targets are let go until the tables are made, and
   * collected from again. A target that never ends loading scripts is held at last, because the client
   * waits. Never rejects.
   */
  stop(options: Round): Promise<TargetPcs[]> {
    const done = this.#stop(options);
    const entry = { units: options.units, done };
    this.#stopping.add(entry);
    return done.finally(() => this.#stopping.delete(entry));
  }

  async #stop(options: Round): Promise<TargetPcs[]> {
    const { registry } = this.#options;
    for (let round = 1;; round++) {
      const isLast = round === MOST_ROUNDS;
      const learning: Promise<unknown>[] = [];
      for (const { target, pieces } of await registry.stop(options)) {
        for (const piece of pieces) {
          const unknown = this.#absorb(target, piece);
          if (unknown.length > 0) learning.push(...await this.#ask(target, { unknown, isLast }));
        }
      }
      if (learning.length === 0) return this.#drain(options.units);
      if (!isLast) registry.release(options.units);
      await Promise.all(learning);
      if (isLast) return this.#drain(options.units);
    }
  }

  /**
   * Asks a target that is held for its scripts.
   *
   * @returns the promises to await before the next round, while the target runs.
   */
  async #ask(
    target: Target,
    { unknown, isLast }: { unknown: readonly string[]; isLast: boolean },
  ): Promise<Promise<unknown>[]> {
    if (!target.info.parent) {
      const { fetched, learned } = this.#learn(target, unknown);
      return await fetched ? [learned] : [];
    }
    // A worker thread answers only while its main thread runs.
    if (!isLast) return [this.#learn(target, unknown).learned];
    this.coverageOf(target).postpone(unknown);
    return [];
  }

  #drain(units: Units): TargetPcs[] {
    const { covered, segments } = this.#options;
    const drained: TargetPcs[] = [];
    for (const target of this.#undrained) {
      if (!hasUnit(units, this.unitOf(target.id))) continue;
      this.#undrained.delete(target);
      const pcs = this.coverageOf(target).drain();
      if (pcs.length > 0) drained.push({ target: target.id, kind: "counts", pcs });
      const hits = target.link.takeHits?.();
      if (hits?.length) {
        covered.addPcs(target.info.name, { pcs: hits, segments: segments() });
        drained.push({ target: target.id, kind: "trace", pcs: hits });
      }
    }
    return [...drained, ...this.#options.tracer?.drain(units) ?? []];
  }

  release(units: Units): void {
    this.#options.registry.release(units);
  }

  /**
   * Takes in a target's last coverage; what it executed is part of the next collection. Resolves when nothing
   * more is needed of the target. That includes scripts that a collection has asked it for.
   */
  async farewell(target: Target, coverage: Uint8Array): Promise<void> {
    const unknown = this.#absorb(target, coverage);
    if (unknown.length > 0) this.#learn(target, unknown);
    // A collection may have taken the target's coverage, and not have looked at it yet.
    const unit = this.unitOf(target.id);
    const stopping = [...this.#stopping].filter(({ units }) => hasUnit(units, unit));
    await Promise.all(stopping.map(({ done }) => done));
    await this.#learning.get(target);
  }

  #absorb(target: Target, piece: Uint8Array): string[] {
    const coverage = this.coverageOf(target);
    try {
      const unknown = coverage.absorb(piece);
      this.#undrained.add(target);
      const ignored = coverage.takeIgnored();
      if (ignored.length > 0) target.link.ignore(ignored);
      return unknown;
    } catch (error) {
      this.#warnOf(target, error);
      return [];
    }
  }

  /**
   * Fetches the sources of scripts, and then makes their tables. Neither promise rejects.
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
      // A target's report of some of its functions may make no sense.
    }).catch((error) => this.#warnOf(target, error)).then(() => {
      this.#undrained.add(target);
    });
    this.#learning.set(target, Promise.all([this.#learning.get(target), learned]));
    return { fetched: fetching.then((sources) => sources !== undefined), learned };
  }

  #warnOf(target: Target, error: unknown): void {
    this.#options.reporter.warn(`Cannot read the coverage of ${target.info.name}: ${error}`);
  }

  async #fetch(
    target: Target,
    unknown: readonly string[],
  ): Promise<ReadonlyMap<string, string> | undefined> {
    const { reporter, registry } = this.#options;
    try {
      return await target.fetchSources(unknown, { timeout: registry.collectTimeout });
    } catch (error) {
      reporter.warn(`Cannot fetch scripts of ${target.info.name}: ${(error as Error).message}`);
      this.coverageOf(target).postpone(unknown);
      return undefined;
    }
  }
}

/** Whether a script's probes are read, so that V8's counts of it do not matter. */
function readsProbes({ link }: Target, source: string): boolean {
  if (!link.readProbes || !hasProbes(source)) return false;
  link.readProbes();
  return true;
}
