import type { Units } from "./coherence/unit.ts";
import type { NodeId } from "../fuse/mod.ts";
import type { TargetId, UnitId } from "./ids.ts";

/** PCs or comparisons, as in `enum kcov_mode` in the kernel. `fold`: PCs, and a full area is folded. */
export type Mode = "pc" | "fold" | "cmp";

/** The targets that an instance traces, by their numbers. */
export type Scope = "all" | ReadonlySet<TargetId>;

export function inScope(scope: Scope, target: TargetId): boolean {
  return scope === "all" || scope.has(target);
}

/** The PCs that a target has executed. */
export interface TargetPcs {
  /** The target's number. */
  readonly target: TargetId;
  /**
   * `counts`: the blocks that it has executed. `trace`: everything that it has executed, in order.
   * `folded`: the same, but parts may be folded. `comparisons`: its comparisons, in order.
   */
  readonly kind: "counts" | "trace" | "folded" | "comparisons";
  /**
   * The lower halves of PCs; of comparisons the two halves of four words each, in kcov's form; of `folded` the
   * two halves of each word. Valid until the target's next collection.
   */
  readonly pcs: Uint32Array;
}

/** An instance that is enabled, or about to be, as its writers see it. */
export interface EnabledArea {
  /** The node id of the instance. */
  readonly id: NodeId;
  readonly words: number;
  readonly mode: Mode;
  readonly scope: Scope;
  /** The path of the area, if it is a file. */
  readonly path?: string;
  /** See {@linkcode AreaFile.turns}. */
  readonly turns?: string;
}

/** The source of PCs: all targets that are measured. */
export interface Source {
  /**
   * Collects what targets have executed since their last collection, and holds them: nothing runs in
   * them from the collection until {@linkcode release}. A target that cannot be reached in time is left
   * out. Several collections, of different units, may be under way at a time. Never rejects.
   *
   * @param options `run`: µs that the targets must first run after the last release.
   */
  stop(options: { run: number; units: Units }): Promise<readonly TargetPcs[]>;
  /** Lets targets run again. */
  release(units: Units): void;
  /** The unit of the target that has a number, or would have it; see {@linkcode Device.regroup}. */
  unitOf(target: TargetId): UnitId;
  /**
   * Makes targets with probes write what these instances need, and nothing else. Resolves when they do. If an
   * area is a file, they write into that.
   */
  trace(areas: readonly EnabledArea[]): Promise<void>;
  /** Whether a target in a scope has probes, as only these see comparisons; or there is no target yet. */
  canCompare(scope: Scope): boolean;
  /**
   * Whether all targets in a scope have probes. They can then write into areas themselves, if these
   * are files.
   */
  canWrite(scope: Scope): boolean;
}
