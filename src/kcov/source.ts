import type { Units } from "./coherence/unit.ts";
import type { NodeId } from "../fuse/mod.ts";
import type { TargetId, UnitId } from "./ids.ts";

/**
 * How comparisons and PCs are told apart, as in `enum kcov_mode` in the kernel. `fold`: PCs, and a full area is
 * folded.
 */
export type Mode = "pc" | "fold" | "cmp";

/** The targets that an instance is told of, by their numbers. */
export type Scope = "all" | ReadonlySet<TargetId>;

export function inScope(scope: Scope, target: TargetId): boolean {
  return scope === "all" || scope.has(target);
}

/** The PCs that a target has executed. */
export interface TargetPcs {
  /** The target's number. */
  readonly target: TargetId;
  /**
   * `counts`: which blocks it has executed. `trace`: all that it has executed, in order. `folded`: the same,
   * perhaps folded. `comparisons`: what it has compared, in order.
   */
  readonly kind: "counts" | "trace" | "folded" | "comparisons";
  /**
   * The lower halves of PCs; of comparisons the two halves of four words each, as kcov has them; of what is
   * perhaps folded the two halves of each word. Valid until its next collection.
   */
  readonly pcs: Uint32Array;
}

/** An instance that is enabled, or about to be, as those see it who write into its area. */
export interface EnabledArea {
  /** Of the instance, its node id. */
  readonly id: NodeId;
  readonly words: number;
  readonly mode: Mode;
  readonly scope: Scope;
  /** Of the area, where it is a file. */
  readonly path?: string;
  /** See {@linkcode AreaFile.turns}. */
  readonly turns?: string;
}

/** Where PCs come from: all that is measured. */
export interface Source {
  /**
   * Collects what targets have executed since their last collection, and holds them: nothing runs in
   * them from the collection until {@linkcode release}. A target that cannot be reached in time is left
   * out. Several collections may be under way at a time, of different units. Never rejects.
   *
   * @param options `run`: µs that the targets must be let run after the last release first.
   */
  stop(options: { run: number; units: Units }): Promise<readonly TargetPcs[]>;
  /** Lets targets run again. */
  release(units: Units): void;
  /** The unit that the target of a number is in, or would be; see {@linkcode Device.regroup}. */
  unitOf(target: TargetId): UnitId;
  /**
   * Has targets with probes write what these instances need, and nothing else; resolves when they do. Where
   * an area is a file, they write into that.
   */
  trace(areas: readonly EnabledArea[]): Promise<void>;
  /** Whether any target in a scope has probes, which alone see comparisons, or there is none yet. */
  canCompare(scope: Scope): boolean;
  /**
   * Whether all targets in a scope have probes, so that they can write into areas themselves where these
   * are files.
   */
  canWrite(scope: Scope): boolean;
}
