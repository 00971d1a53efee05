import type { NodeId } from "../../fuse/mod.ts";
import type { UnitId } from "../ids.ts";

/** Names an instance: the node id of its inode. */
export type Node = NodeId;

/** The units whose targets an instance is told of. */
export type UnitScope = "all" | readonly UnitId[];

/**
 * An ioctl that the targets must stand still for. All that they did before it belongs to what was
 * before. An instance whose owner has died is given back by `retire`.
 */
export type Operation = "enable" | "disable" | "reset" | "retire";

/** Whether an operation changes page 0, or begins to keep it coherent. */
export function needsAbsence(operation: Operation): boolean {
  return operation === "enable" || operation === "reset";
}

/** Where page 0 of an instance is. */
export type Place =
  /** Not in the cache: touching it sends a READ. */
  | { readonly kind: "absent" }
  /** A READ is about to be answered: the pages above are being stored first. */
  | { readonly kind: "storing" }
  /** In the cache, and mapped. */
  | { readonly kind: "present"; readonly timer: number }
  /** Being dropped. `again`: a READ that the drop waited for was answered meanwhile. */
  | { readonly kind: "dropping"; readonly drop: number; readonly again: boolean };

export const ABSENT: Place = { kind: "absent" };

/**
 * How long page 0 stays mapped after a read of it was answered, in µs. Most clients reset right after they
 * read. A reset that falls into the window of the read is taken in with it; one that misses it costs a
 * fault and a collection of its own. So the window follows the client: it settles where about one return
 * in {@linkcode ODDS} misses it.
 */
const WINDOW = {
  initial: 0,
  /** Dropping the page takes some tens of µs by itself, which is enough for many a client. */
  least: 0,
  /** About what a fault with its collection costs: a client slower than this is not waited for. */
  most: 600,
} as const;
/** A miss widens the window by this many µs, and a hit narrows it by as much divided by the odds. */
const WINDOW_STEP = 16;
const ODDS = 100;

const NOTHING: readonly UnitId[] = [];

/** Page 0 of one instance, as the protocol keeps it. */
export class Page0 {
  /** The invariant holds for it. Becomes true when ENABLE begins and false when DISABLE is done. */
  enabled = false;
  /** Of no concern while it is not enabled. */
  scope: UnitScope = NOTHING;
  place: Place = ABSENT;
  /** READs that wait for an answer. */
  reads = 0;
  operations: readonly Operation[] = [];
  /** When the first of what waits has come, in µs. */
  asked = 0;
  /** When it had its turn last, as a serial number: in no hold that is older it may have another. */
  served = 0;
  /** How slow units may be while it keeps others held; it has waited for one that was so slow. */
  patience = 0;
  /** It was brought PCs since its last turn. */
  gaining = false;
  /** Its last turn brought it PCs. */
  gained = false;
  /** It came back: µs since its window opened, or -1. */
  returned = -1;
  /** When its window was last opened, in µs; -1 for never. */
  opened = -1;
  /** The client has changed `area[0]` since its last turn. */
  reset = false;
  /** µs that its window stays open. */
  window: number = WINDOW.initial;

  copy(): Page0 {
    const copy = new Page0();
    copy.enabled = this.enabled;
    copy.scope = this.scope;
    copy.place = this.place;
    copy.reads = this.reads;
    copy.operations = this.operations;
    copy.asked = this.asked;
    copy.served = this.served;
    copy.patience = this.patience;
    copy.gaining = this.gaining;
    copy.gained = this.gained;
    copy.returned = this.returned;
    copy.opened = this.opened;
    copy.reset = this.reset;
    copy.window = this.window;
    return copy;
  }

  covers(unit: UnitId): boolean {
    return this.scope === "all" || this.scope.includes(unit);
  }

  /** Units must be held before it can go on. */
  get isWaiting(): boolean {
    return this.operations.length > 0 ||
      (this.enabled && this.reads > 0 && this.place.kind === "absent");
  }

  /** The client has reset within its window. */
  narrowWindow(): void {
    this.window = Math.max(this.window - WINDOW_STEP / ODDS, WINDOW.least);
  }

  /** The client came back only to reset, or to read on, `after` µs from when the window opened. */
  missWindow(after: number): void {
    if (after > WINDOW.most) this.narrowWindow();
    else this.window = Math.min(this.window + WINDOW_STEP, WINDOW.most);
  }
}
