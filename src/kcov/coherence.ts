/**
 * The protocol that keeps a client's view of its area and the targets coherent, as a cache keeps a line.
 *
 * A client resets by a plain store to `area[0]` and reads by a plain load; neither is a message. The
 * server sees a READ when page 0 is touched while it is not in the kernel's page cache, and nothing at
 * all while it is. Hence the invariant, by which no read is stale and no reset is missed:
 *
 * > While any target in an enabled instance's scope may run, its page 0 is out of the cache.
 *
 * {@linkcode step} is the whole protocol: a function from a state and an event to the next state and
 * the effects to carry out, in order. It does nothing else, so that tests can walk every interleaving.
 *
 * Instances share holds: whoever needs a unit held finds it held, whoever had it held. So nobody waits
 * for a hold to begin but for the time that a collection takes. A hold ends when nobody needs it, and
 * that it does is due to two rules: an instance has one turn in it, and whoever comes late, or comes
 * again, waits for the next. An instance that waits for such an end keeps only holds that began after
 * the one that is to end, so that no two wait for each other.
 */
import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";
import { ABSENT, Line, type LineId, type LineScope, type Operation } from "./line.ts";
import { nextWindow } from "./page_window.ts";
import { type Hold, REST, Unit, unitsOf } from "./unit.ts";

/** Everything that the protocol knows. */
export interface Coherence {
  readonly lines: ReadonlyMap<LineId, Readonly<Line>>;
  /** Those that a line's scope names, and {@linkcode REST}. */
  readonly units: ReadonlyMap<number, Readonly<Unit>>;
  /** Names timers, drops, stops and holds; those of the past are told apart by it. */
  readonly serial: number;
}

/** µs into a hold after which it takes in no further instance, so that the targets get to run. */
const ADMISSION = 1000;
/** ms that a READ waits for a drop. A drop takes some tens of µs, unless it waits for the READ. */
export const STALL = 2;
/**
 * ms that an instance which waits for one unit keeps others held meanwhile, whose clients may wait. Most
 * collections take less. Where one takes longer, the others are let run until it is held, and then it is
 * kept for as long as that took: two that are slow would never be held at a time otherwise.
 */
const PATIENCE = 20;

/** Nothing enabled, the targets running. */
export const INITIAL: Coherence = {
  lines: new Map(),
  units: new Map([[REST, new Unit()]]),
  serial: 1,
};

/** A state under construction: what one step changes. */
interface Draft {
  readonly now: number;
  readonly lines: Map<LineId, Line>;
  readonly units: Map<number, Unit>;
  serial: number;
  readonly effects: Effect[];
}

/**
 * One step of the protocol.
 *
 * @param now When the event happened, in µs on a monotonic clock.
 */
export function step(
  state: Coherence,
  event: Event,
  now: number,
): { readonly state: Coherence; readonly effects: readonly Effect[] } {
  const lines = new Map<LineId, Line>();
  for (const [id, line] of state.lines) lines.set(id, line.copy());
  const units = new Map<number, Unit>();
  for (const [id, unit] of state.units) units.set(id, unit.copy());
  const draft: Draft = { now, lines, units, serial: state.serial, effects: [] };
  apply(draft, event);
  settle(draft);
  return { state: { lines, units, serial: draft.serial }, effects: draft.effects };
}

function lineOf(draft: Draft, id: LineId): Line {
  let line = draft.lines.get(id);
  if (!line) draft.lines.set(id, line = new Line());
  return line;
}

function apply(draft: Draft, event: Event): void {
  if (event.kind === "read") return read(draft, event.line);
  if (event.kind === "operate") return operate(draft, event);
  if (event.kind === "stopped") return stopped(draft, event);
  if (event.kind === "impatient") return impatient(draft, event.serial);
  // The rest concern a line that may have been closed meanwhile.
  const line = draft.lines.get(event.line);
  if (!line) return;
  const { page } = line;
  switch (event.kind) {
    case "stored":
      if (page.kind === "storing") present(draft, event.line, line);
      return;
    case "elapsed":
      if (line.enabled && page.kind === "present" && page.timer === event.timer) {
        drop(draft, event.line, line);
      }
      return;
    case "reset":
      line.reset = true;
      markFruitful(draft, line);
      return;
    case "dropped":
      if (page.kind === "dropping" && page.drop === event.drop) {
        dropped(draft, event.line, line);
      }
      return;
    case "stalled":
      if (page.kind === "dropping" && page.drop === event.drop && line.reads > 0) {
        line.page = { ...page, again: true };
        answer(draft, event.line, line);
      }
      return;
    case "rescope":
      if (line.enabled) setScope(draft, line, event.scope);
      return;
    case "closed":
      draft.lines.delete(event.line);
      return;
  }
}

function read(draft: Draft, id: LineId): void {
  const line = lineOf(draft, id);
  noteAsked(draft, line);
  const isFirst = line.reads++ === 0;
  const { page } = line;
  if (isFirst && line.enabled && line.opened >= 0) line.returned = draft.now - line.opened;
  // The kernel reclaimed the page by itself. Nothing has run since it was answered last.
  if (page.kind === "present") answer(draft, id, line);
  // Mostly the drop is done and its completion on the way. But if the page was reclaimed before, the
  // drop may now be waiting for this very READ.
  if (page.kind === "dropping" && isFirst) {
    draft.effects.push({ kind: "grace", line: id, drop: page.drop });
  }
}

function noteAsked(draft: Draft, line: Line): void {
  if (line.reads === 0 && line.operations.length === 0) line.asked = draft.now;
}

function answer(draft: Draft, id: LineId, line: Line): void {
  line.reads = 0;
  draft.effects.push({ kind: "answer", line: id });
}

function operate(draft: Draft, event: Event & { kind: "operate" }): void {
  const { line: id, operation, scope = "all" } = event;
  const line = lineOf(draft, id);
  noteAsked(draft, line);
  line.operations = [...line.operations, operation];
  if (operation === "enable") {
    line.enabled = true;
    setScope(draft, line, scope);
  }
  if (needsAbsence(operation) && line.page.kind === "present") drop(draft, id, line);
}

/** What is named for the first time goes on as the rest does. */
function setScope(draft: Draft, line: Line, scope: LineScope): void {
  line.scope = scope;
  if (scope === "all") return;
  for (const id of scope) {
    if (!draft.units.has(id)) draft.units.set(id, draft.units.get(REST)!.copy());
  }
}

/** Whether an operation changes page 0, or begins to keep it coherent. */
function needsAbsence(operation: Operation): boolean {
  return operation === "enable" || operation === "reset";
}

function stopped(draft: Draft, event: Event & { kind: "stopped" }): void {
  const serial = draft.serial++;
  const slow = new Map<number, number>();
  for (const [id, unit] of draft.units) {
    const { phase } = unit;
    if (phase.kind !== "stopping" || phase.serial !== event.serial) continue;
    unit.phase = { kind: "held", serial, since: draft.now };
    unit.isFruitful = event.gained.size > 0;
    if (phase.slow > 0) slow.set(id, phase.slow);
  }
  for (const [id, length] of slow) learnPatience(draft, id, length);
  for (const id of event.gained) {
    const line = draft.lines.get(id);
    if (line) line.gaining = true;
  }
}

function learnPatience(draft: Draft, id: number, slow: number): void {
  for (const line of draft.lines.values()) {
    const hasWaited = line.isWaiting && line.covers(id) && !isStuck(draft, line);
    if (hasWaited) line.patience = Math.max(line.patience, slow);
  }
}

function impatient(draft: Draft, serial: number): void {
  let slow = 0;
  for (const unit of draft.units.values()) {
    if (unit.phase.kind !== "stopping" || unit.phase.serial !== serial) continue;
    slow = unit.phase.slow + 1;
    unit.phase = { ...unit.phase, slow };
  }
  if (slow > 0) draft.effects.push({ kind: "patience", serial, ms: PATIENCE * 2 ** slow });
}

function markFruitful(draft: Draft, line: Line): void {
  for (const [id, unit] of draft.units) if (line.covers(id)) unit.isFruitful = true;
}

/** The pages above are stored: page 0 is answered. */
function present(draft: Draft, id: LineId, line: Line): void {
  const timer = draft.serial++;
  line.page = { kind: "present", timer };
  line.opened = draft.now;
  answer(draft, id, line);
  if (!line.enabled) return;
  if (line.operations.some(needsAbsence)) drop(draft, id, line);
  else draft.effects.push({ kind: "wait", line: id, timer, us: line.window });
}

function drop(draft: Draft, id: LineId, line: Line): void {
  const serial = draft.serial++;
  line.page = { kind: "dropping", drop: serial, again: false };
  draft.effects.push({ kind: "drop", line: id, drop: serial });
}

function dropped(draft: Draft, id: LineId, line: Line): void {
  if (line.page.kind === "dropping" && line.page.again && line.reads === 0) {
    // A READ was answered while the kernel was dropping, and none has come since: the page may be back.
    if (line.enabled) drop(draft, id, line);
    else line.page = { kind: "present", timer: 0 };
    return;
  }
  if (line.reset) line.window = nextWindow(line.window, { kind: "reset" });
  line.page = ABSENT;
}

/** Does what has become possible. */
function settle(draft: Draft): void {
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

/** Whether a line has lost its patience with a unit: the others are let run until that is held. */
function isStuck(draft: Draft, line: Line): boolean {
  for (const [id, { phase }] of draft.units) {
    if (phase.kind === "stopping" && phase.slow > line.patience && line.covers(id)) return true;
  }
  return false;
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
