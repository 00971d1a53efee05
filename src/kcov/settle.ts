import { type Draft, markFruitful } from "./draft.ts";
import { type Line, type LineId, needsAbsence } from "./line.ts";
import { nextWindow } from "./page_window.ts";
import { isStuck, PATIENCE } from "./patience.ts";
import { type Hold, REST, type Unit, unitsOf } from "./unit.ts";

/** µs into a hold after which it takes in no further instance, so that the targets get to run. */
const ADMISSION = 1000;

/** Does what has become possible. */
export function settle(draft: Draft): void {
  for (const [id, line] of draft.lines) {
    perform(draft, id, line);
    admit(draft, id, line);
  }
  for (const [id, unit] of draft.units) {
    if (unit.phase.kind !== "held" || isHoldNeeded(draft, id, unit.phase)) continue;
    unit.release(unit.phase, draft.now);
    draft.effects.push({ kind: "release", units: unitsOf(id, draft.units) });
  }
  if (draft.units.size > 1) merge(draft);
  for (const [id, unit] of draft.units) {
    if (unit.phase.kind === "running" && isStopWanted(draft, id)) stop(draft, id, unit);
  }
}

function perform(draft: Draft, id: LineId, line: Line): void {
  if (line.operations.length === 0 || !isHeld(draft, line)) return;
  while (line.operations.length > 0) {
    const [operation, ...operations] = line.operations;
    if (needsAbsence(operation) && line.page.kind !== "absent") return;
    if (operation === "disable" || operation === "retire") line.enabled = false;
    line.operations = operations;
    draft.effects.push({ kind: "perform", line: id, operation });
    line.patience = 0;
    markFruitful(draft, line);
    if (!line.enabled) line.scope = [];
  }
}

/** Begins to answer READs of page 0: at once where nothing is enabled, else in a hold. */
function admit(draft: Draft, id: LineId, line: Line): void {
  if (line.reads === 0 || line.page.kind !== "absent") return;
  if (line.enabled) {
    if (line.operations.length > 0 || !isHeld(draft, line, mayJoin)) return;
    takeTurn(draft, line);
  }
  line.page = { kind: "storing" };
  draft.effects.push({ kind: "store", line: id });
}

/** Whether all units in a line's scope are held, in holds that fulfil a condition. */
function isHeld(
  draft: Draft,
  line: Line,
  condition: (line: Line, hold: Hold) => boolean = () => true,
): boolean {
  for (const [id, { phase }] of draft.units) {
    if (line.covers(id) && (phase.kind !== "held" || !condition(line, phase))) return false;
  }
  return true;
}

/** Whether a line may have its turn in a hold. */
function mayJoin(line: Line, hold: Hold): boolean {
  return hold.serial > line.served && isInTime(line, hold);
}

function isInTime(line: Line, hold: Hold): boolean {
  return line.asked <= hold.since + ADMISSION;
}

function takeTurn(draft: Draft, line: Line): void {
  // It had PCs to take in, and came back for nothing but that, or to reset.
  const isMiss = line.gained && !line.reset && line.returned >= 0 && !line.gaining;
  if (isMiss) line.window = nextWindow(line.window, { kind: "missed", after: line.returned });
  line.gained = line.gaining;
  line.gaining = false;
  line.reset = false;
  line.returned = -1;
  line.patience = 0;
  line.served = draft.serial++;
}

function isHoldNeeded(draft: Draft, id: number, hold: Hold): boolean {
  for (const line of draft.lines.values()) {
    if (!line.covers(id)) continue;
    if (line.enabled && line.page.kind !== "absent") return true;
    if (line.isWaiting && isKept(draft, line, hold)) return true;
  }
  return false;
}

/** Whether a line that waits for other units keeps a hold meanwhile. */
function isKept(draft: Draft, line: Line, hold: Hold): boolean {
  if (!isInTime(line, hold) || isStuck(draft, line)) return false;
  return line.operations.length > 0 || hold.serial > line.served;
}

/** Takes in again what no line names. */
function merge(draft: Draft): void {
  if (draft.units.get(REST)!.phase.kind !== "running") return;
  const named = new Set<number>([REST]);
  for (const { scope } of draft.lines.values()) {
    if (scope !== "all") { for (const id of scope) named.add(id); }
  }
  for (const [id, { phase }] of draft.units) {
    if (phase.kind === "running" && !named.has(id)) draft.units.delete(id);
  }
}

function isStopWanted(draft: Draft, id: number): boolean {
  for (const line of draft.lines.values()) {
    if (line.isWaiting && line.covers(id) && !isStuck(draft, line)) return true;
  }
  return false;
}

function stop(draft: Draft, id: number, unit: Unit): void {
  const serial = draft.serial++;
  unit.phase = { kind: "stopping", serial, slow: 0 };
  const units = unitsOf(id, draft.units);
  draft.effects.push({ kind: "stop", serial, units, run: unit.run });
  if (draft.units.size > 1) draft.effects.push({ kind: "patience", serial, ms: PATIENCE });
}
