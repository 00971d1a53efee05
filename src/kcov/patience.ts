import type { Draft } from "./draft.ts";
import type { Line } from "./line.ts";

/**
 * ms that an instance which waits for one unit keeps others held meanwhile, whose clients may wait. Most
 * collections take less. Where one takes longer, the others are let run until it is held, and then it is
 * kept for as long as that took: two that are slow would never be held at a time otherwise.
 */
export const PATIENCE = 20;

/** Whether a line has lost its patience with a unit: the others are let run until that is held. */
export function isStuck(draft: Draft, line: Line): boolean {
  for (const [id, { phase }] of draft.units) {
    if (phase.kind === "stopping" && phase.slow > line.patience && line.covers(id)) return true;
  }
  return false;
}

/**
 * A stop takes long, or still does: the lines whose patience that exceeds are stuck from now on. The next
 * wait for it is twice as long.
 */
export function impatient(draft: Draft, serial: number): void {
  let slow = 0;
  for (const unit of draft.units.values()) {
    if (unit.phase.kind !== "stopping" || unit.phase.serial !== serial) continue;
    slow = unit.phase.slow + 1;
    unit.phase = { ...unit.phase, slow };
  }
  if (slow > 0) draft.effects.push({ kind: "patience", serial, ms: PATIENCE * 2 ** slow });
}

/**
 * A unit is held at last that was found to be slow so often: the lines that have waited for it keep what
 * they have held for as long, until they have had their turn.
 */
export function learnPatience(draft: Draft, id: number, slow: number): void {
  for (const line of draft.lines.values()) {
    const hasWaited = line.isWaiting && line.covers(id) && !isStuck(draft, line);
    if (hasWaited) line.patience = Math.max(line.patience, slow);
  }
}
