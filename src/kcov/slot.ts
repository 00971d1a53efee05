import type { Area } from "./area.ts";
import type { Enabling } from "./area_keeper.ts";
import type { Instance } from "./instance.ts";
import type { Operation } from "./coherence/page0.ts";
import type { Meter } from "./meter.ts";
import type { ReadAhead } from "./page_cache.ts";

/** A READ that waits for its answer; offset and size are in bytes. */
export interface Waiting {
  readonly offset: number;
  readonly size: number;
  readonly resolve: (data: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** An ioctl that waits for the targets to stand still. */
export interface WaitingOperation {
  readonly operation: Operation;
  readonly enabling?: Enabling;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** An instance that is open, with what waits for it. */
export interface Slot {
  readonly instance: Instance<Area>;
  /** READs of page 0 that wait for their answer. */
  reads: Waiting[];
  operations: WaitingOperation[];
  /** Answers READs of the pages above page 0. */
  readonly above: ReadAhead;
  readonly meter: Meter;
}
