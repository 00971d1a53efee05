import type { NodeId } from "../../fuse/mod.ts";
import type { UnitId } from "../ids.ts";

/** Names an instance: the node id of its inode. */
export type Node = NodeId;

/** The units whose targets an instance traces. */
export type UnitScope = "all" | readonly UnitId[];

/**
 * An ioctl for which the targets must stand still. Everything that they did before it belongs to the time
 * before. `retire` gives back an instance whose owner has died.
 */
export type Operation = "enable" | "disable" | "reset" | "retire";

/** Whether an operation changes page 0, or begins to keep it coherent. */
export function needsAbsence(operation: Operation): boolean {
  return operation === "enable" || operation === "reset";
}

/** The place of an instance's page 0. */
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
 * read. A reset that falls into the window of the read is taken in with it. A reset that misses the window
 * costs a fault and a collection of its own. So the window follows the client: it settles where about one
 * return in {@linkcode ODDS} misses it.
 */
const WINDOW = {
  initial: 0,
  /** To drop the page takes some tens of µs by itself, which is enough for many clients. */
  least: 0,
  /** About the cost of a fault with its collection: a client slower than this is not waited for. */
  most: 600,
} as const;
/** A miss widens the window by this many µs; a hit narrows it by this, divided by the odds. */
const WINDOW_STEP = 16;
const ODDS = 100;

const NOTHING: readonly UnitId[] = [];

/** The protocol's record of one instance's page 0. */
export class Page0 {
  /** The invariant holds for it. Becomes true when ENABLE begins and false when DISABLE is done. */
  enabled = false;
  /** Without meaning while it is not enabled. */
  scope: UnitScope = NOTHING;
  place: Place = ABSENT;
  /** READs that wait for an answer. */
  reads = 0;
  operations: readonly Operation[] = [];
  /** When the first waiting READ or operation came, in µs. */
  asked = 0;
  /** The serial number of its last turn: it has no further turn in any hold that is older. */
  served = 0;
  /** Units may be so slow while it keeps others held: it has waited for a unit that was so slow. */
  patience = 0;
  /** It got PCs since its last turn. */
  gaining = false;
  /** It got PCs in its last turn. */
  gained = false;
  /** µs from when its window opened to when it came back, or -1. */
  returned = -1;
  /** When its window was opened last, in µs; -1 for never. */
  opened = -1;
  /** The client has changed `area[0]` since its last turn. */
  reset = false;
  /** µs for which its window stays open. */
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

  /** Whether units must be held before it can go on. */
  get isWaiting(): boolean {
    return this.operations.length > 0 ||
      (this.enabled && this.reads > 0 && this.place.kind === "absent");
  }

  /** The client has reset within its window. */
  narrowWindow(): void {
    this.window = Math.max(this.window - WINDOW_STEP / ODDS, WINDOW.least);
  }

  /** The client came back only to reset, or to read on, `after` µs after the window opened. */
  missWindow(after: number): void {
    if (after > WINDOW.most) this.narrowWindow();
    else this.window = Math.min(this.window + WINDOW_STEP, WINDOW.most);
  }
}
