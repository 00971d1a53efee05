import type { Instance, Scope } from "./instance.ts";
import type { Operation } from "./line.ts";
import type { Owner } from "./owner.ts";
import type { ReadAhead } from "./read_ahead.ts";

/** A READ that waits for its answer; offset and size are in bytes. */
export interface Waiting {
  readonly offset: number;
  readonly size: number;
  readonly resolve: (data: Uint8Array) => void;
}

/** What an instance is enabled with. */
export interface Enabling {
  readonly owner: Owner;
  readonly scope: Scope;
}

/** An instance that is open, with what waits for it. */
export interface Slot {
  readonly instance: Instance;
  /** READs of page 0 that wait for their answer. */
  reads: Waiting[];
  /** ioctls that wait for the targets to stand still. */
  operations: { operation: Operation; resolve: (result: number) => void; enabling?: Enabling }[];
  /** ioctls on one instance follow each other, as under `kcov->lock`. */
  turn: Promise<unknown>;
  /** Answers READs of the pages above page 0. */
  readonly above: ReadAhead;
}
