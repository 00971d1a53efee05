import type { Units } from "../units.ts";

/** What a target has executed. */
export interface TargetPcs {
  /** The target's number. */
  readonly target: number;
  /** The lower halves of PCs; one may be there more than once. Valid until its next collection. */
  readonly pcs: Uint32Array;
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
  unitOf(target: number): number;
}
