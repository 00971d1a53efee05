import { PAGE_WINDOW } from "./page_window.ts";

/** Names an instance. */
export type LineId = number;

/** The units whose targets an instance is told of. */
export type LineScope = "all" | readonly number[];

/**
 * An ioctl that the targets must stand still for. All that they did before it belongs to what was
 * before: `retire` is what becomes of an instance whose owner has died.
 */
export type Operation = "enable" | "disable" | "reset" | "retire";

/** Whether an operation changes page 0, or begins to keep it coherent. */
export function needsAbsence(operation: Operation): boolean {
  return operation === "enable" || operation === "reset";
}

/** Where page 0 of an instance is. */
export type Page =
  /** Not in the cache: touching it sends a READ. */
  | { readonly kind: "absent" }
  /** A READ is about to be answered: the pages above are being stored first. */
  | { readonly kind: "storing" }
  /** In the cache, and mapped. */
  | { readonly kind: "present"; readonly timer: number }
  /** Being dropped. `again`: a READ that the drop waited for was answered meanwhile. */
  | { readonly kind: "dropping"; readonly drop: number; readonly again: boolean };

export const ABSENT: Page = { kind: "absent" };

const NOTHING: readonly number[] = [];

/** Page 0 of one instance: the line of the cache. */
export class Line {
  /** The invariant holds for it. Becomes true when ENABLE begins and false when DISABLE is done. */
  enabled = false;
  /** Of no concern while it is not enabled. */
  scope: LineScope = NOTHING;
  page: Page = ABSENT;
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
  window: number = PAGE_WINDOW.initial;

  copy(): Line {
    const line = new Line();
    line.enabled = this.enabled;
    line.scope = this.scope;
    line.page = this.page;
    line.reads = this.reads;
    line.operations = this.operations;
    line.asked = this.asked;
    line.served = this.served;
    line.patience = this.patience;
    line.gaining = this.gaining;
    line.gained = this.gained;
    line.returned = this.returned;
    line.opened = this.opened;
    line.reset = this.reset;
    line.window = this.window;
    return line;
  }

  covers(unit: number): boolean {
    return this.scope === "all" || this.scope.includes(unit);
  }

  /** Units must be held before it can go on. */
  get isWaiting(): boolean {
    return this.operations.length > 0 ||
      (this.enabled && this.reads > 0 && this.page.kind === "absent");
  }
}
