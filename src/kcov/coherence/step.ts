/**
 * The protocol that keeps a client's view of its area coherent with what the targets execute. The kernel's
 * page cache plays the part of a processor's cache, and page 0 that of a cache line.
 *
 * A client resets by a plain store to `area[0]` and reads by a plain load; neither is a message. The
 * server sees a READ when page 0 is touched while it is not in the kernel's page cache. While it is in the
 * cache, the server sees nothing. Hence the invariant, by which no read is stale and no reset is missed:
 *
 * > While any target in an enabled instance's scope may run, its page 0 is out of the cache.
 *
 * {@linkcode step} is the whole protocol: a function from a state and an event to the next state and
 * the effects to carry out, in order. It does nothing else, so that tests can walk every interleaving.
 * {@linkcode applyEvent} makes the changes of the event itself. Then {@linkcode settle} does everything that
 * these have made possible.
 *
 * Instances share holds: an instance that needs a unit held may use a hold that another has begun. So nobody
 * waits for a hold to begin, except for the time that a collection takes. A hold ends when nobody needs it.
 * Two rules make it end: an instance has one turn in it; and an instance that comes late, or comes again,
 * waits for the next. An instance that waits for such an end keeps only holds that began after the one that
 * is to end, so that no two wait for each other.
 */
import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";
import { ABSENT, needsAbsence, type Node, Page0, type UnitScope } from "./page0.ts";
import { type Hold, REST, Unit, unitsOf } from "./unit.ts";
import type { UnitId } from "../ids.ts";

/** The whole state of the protocol. */
export interface Coherence {
  readonly pages: ReadonlyMap<Node, Readonly<Page0>>;
  /** The units that a scope names, and {@linkcode REST}. */
  readonly units: ReadonlyMap<UnitId, Readonly<Unit>>;
  /**
   * The next number for timers, drops, stops and holds; by their numbers, events of past ones are ignored.
   */
  readonly serial: number;
}

/** Nothing enabled, the targets running. */
export const INITIAL: Coherence = {
  pages: new Map(),
  units: new Map([[REST, new Unit()]]),
  serial: 1,
};

/** A state under construction: a step changes this copy. */
interface Draft {
  readonly now: number;
  readonly pages: Map<Node, Page0>;
  readonly units: Map<UnitId, Unit>;
  serial: number;
  readonly effects: Effect[];
}

/** µs into a hold after which it admits no further instance, so that the targets get to run. */
const ADMISSION = 1000;
/**
 * ms for which an instance that waits for one unit keeps others held meanwhile; clients of the others may
 * wait. Most collections take less. If one takes longer, the others are let run until it is held, and then
 * it is kept for as long as that took: otherwise two slow units would never be held at the same time.
 */
const PATIENCE = 20;

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
  const pages = new Map<Node, Page0>();
  for (const [node, page] of state.pages) pages.set(node, page.copy());
  const units = new Map<UnitId, Unit>();
  for (const [id, unit] of state.units) units.set(id, unit.copy());
  const draft: Draft = { now, pages, units, serial: state.serial, effects: [] };
  applyEvent(draft, event);
  settle(draft);
  return { state: { pages, units, serial: draft.serial }, effects: draft.effects };
}

/** Makes the changes of the event itself, and begins to answer it if nobody must be waited for. */
function applyEvent(draft: Draft, event: Event): void {
  if (event.kind === "read") return read(draft, event.node);
  if (event.kind === "operate") return operate(draft, event);
  if (event.kind === "stopped") return stopped(draft, event);
  if (event.kind === "impatient") return impatient(draft, event.serial);
  // The other events concern a page that may have been closed meanwhile.
  const page = draft.pages.get(event.node);
  if (!page) return;
  const { place } = page;
  switch (event.kind) {
    case "stored":
      if (place.kind === "storing") present(draft, event.node, page);
      return;
    case "elapsed":
      if (page.enabled && place.kind === "present" && place.timer === event.timer) {
        drop(draft, event.node, page);
      }
      return;
    case "reset":
      page.reset = true;
      markFruitful(draft, page);
      return;
    case "dropped":
      if (place.kind === "dropping" && place.drop === event.drop) {
        dropped(draft, event.node, page);
      }
      return;
    case "stalled":
      if (place.kind === "dropping" && place.drop === event.drop && page.reads > 0) {
        page.place = { ...place, again: true };
        answer(draft, event.node, page);
      }
      return;
    case "rescope":
      if (page.enabled) setScope(draft, page, event.scope);
      return;
    case "closed":
      draft.pages.delete(event.node);
      return;
  }
}

function pageOf(draft: Draft, node: Node): Page0 {
  let page = draft.pages.get(node);
  if (!page) draft.pages.set(node, page = new Page0());
  return page;
}

function read(draft: Draft, node: Node): void {
  const page = pageOf(draft, node);
  noteAsked(draft, page);
  const isFirst = page.reads++ === 0;
  const { place } = page;
  if (isFirst && page.enabled && page.opened >= 0) page.returned = draft.now - page.opened;
  // The kernel reclaimed the page by itself. Nothing has run since the page was last answered.
  if (place.kind === "present") answer(draft, node, page);
  // Mostly the drop is done and its completion is on the way. But if the page was reclaimed before, the
  // drop may now be waiting for this very READ.
  if (place.kind === "dropping" && isFirst) {
    draft.effects.push({ kind: "grace", node, drop: place.drop });
  }
}

function noteAsked(draft: Draft, page: Page0): void {
  if (page.reads === 0 && page.operations.length === 0) page.asked = draft.now;
}

function answer(draft: Draft, node: Node, page: Page0): void {
  page.reads = 0;
  draft.effects.push({ kind: "answer", node });
}

function operate(draft: Draft, event: Event & { kind: "operate" }): void {
  const { node, operation, scope = "all" } = event;
  const page = pageOf(draft, node);
  noteAsked(draft, page);
  page.operations = [...page.operations, operation];
  if (operation === "enable") {
    page.enabled = true;
    setScope(draft, page, scope);
  }
  if (needsAbsence(operation) && page.place.kind === "present") drop(draft, node, page);
}

/** A unit that is named for the first time takes on the state of the rest. */
function setScope(draft: Draft, page: Page0, scope: UnitScope): void {
  page.scope = scope;
  if (scope === "all") return;
  for (const id of scope) {
    if (!draft.units.has(id)) draft.units.set(id, draft.units.get(REST)!.copy());
  }
}

function stopped(draft: Draft, event: Event & { kind: "stopped" }): void {
  const serial = draft.serial++;
  const slow = new Map<UnitId, number>();
  for (const [id, unit] of draft.units) {
    const { phase } = unit;
    if (phase.kind !== "stopping" || phase.serial !== event.serial) continue;
    unit.phase = { kind: "held", serial, since: draft.now };
    unit.isFruitful = event.gained.size > 0;
    if (phase.slow > 0) slow.set(id, phase.slow);
  }
  for (const [id, length] of slow) learnPatience(draft, id, length);
  for (const node of event.gained) {
    const page = draft.pages.get(node);
    if (page) page.gaining = true;
  }
}

/** The pages above are stored: page 0 is answered. */
function present(draft: Draft, node: Node, page: Page0): void {
  const timer = draft.serial++;
  page.place = { kind: "present", timer };
  page.opened = draft.now;
  answer(draft, node, page);
  if (!page.enabled) return;
  if (page.operations.some(needsAbsence)) drop(draft, node, page);
  else draft.effects.push({ kind: "wait", node, timer, us: page.window });
}

function drop(draft: Draft, node: Node, page: Page0): void {
  const serial = draft.serial++;
  page.place = { kind: "dropping", drop: serial, again: false };
  draft.effects.push({ kind: "drop", node, drop: serial });
}

function dropped(draft: Draft, node: Node, page: Page0): void {
  if (page.place.kind === "dropping" && page.place.again && page.reads === 0) {
    // A READ was answered while the kernel was dropping, and no other has come since: the page may be back.
    if (page.enabled) drop(draft, node, page);
    else page.place = { kind: "present", timer: 0 };
    return;
  }
  if (page.reset) page.narrowWindow();
  page.place = ABSENT;
}

/** A client has learned or done something, so the holds that it takes part in are more than polls. */
function markFruitful(draft: Draft, page: Page0): void {
  for (const [id, unit] of draft.units) if (page.covers(id)) unit.isFruitful = true;
}

/** Does everything that has become possible. */
function settle(draft: Draft): void {
  for (const [node, page] of draft.pages) {
    perform(draft, node, page);
    admit(draft, node, page);
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

function perform(draft: Draft, node: Node, page: Page0): void {
  if (page.operations.length === 0 || !isHeld(draft, page)) return;
  while (page.operations.length > 0) {
    const [operation, ...operations] = page.operations;
    if (needsAbsence(operation) && page.place.kind !== "absent") return;
    if (operation === "disable" || operation === "retire") page.enabled = false;
    page.operations = operations;
    draft.effects.push({ kind: "perform", node, operation });
    page.patience = 0;
    markFruitful(draft, page);
    if (!page.enabled) page.scope = [];
  }
}

/** Begins to answer READs of page 0: at once if it is not enabled, else in a hold. */
function admit(draft: Draft, node: Node, page: Page0): void {
  if (page.reads === 0 || page.place.kind !== "absent") return;
  if (page.enabled) {
    if (page.operations.length > 0 || !isHeld(draft, page, mayJoin)) return;
    takeTurn(draft, page);
  }
  page.place = { kind: "storing" };
  draft.effects.push({ kind: "store", node });
}

/** Whether all units in a page's scope are held, in holds that fulfil a condition. */
function isHeld(
  draft: Draft,
  page: Page0,
  condition: (page: Page0, hold: Hold) => boolean = () => true,
): boolean {
  for (const [id, { phase }] of draft.units) {
    if (page.covers(id) && (phase.kind !== "held" || !condition(page, phase))) return false;
  }
  return true;
}

/** Whether a page may have its turn in a hold. */
function mayJoin(page: Page0, hold: Hold): boolean {
  return hold.serial > page.served && isInTime(page, hold);
}

function isInTime(page: Page0, hold: Hold): boolean {
  return page.asked <= hold.since + ADMISSION;
}

function takeTurn(draft: Draft, page: Page0): void {
  // It had PCs to take in, and came back for no new ones, or only to reset.
  const isMiss = page.gained && !page.reset && page.returned >= 0 && !page.gaining;
  if (isMiss) page.missWindow(page.returned);
  page.gained = page.gaining;
  page.gaining = false;
  page.reset = false;
  page.returned = -1;
  page.patience = 0;
  page.served = draft.serial++;
}

function isHoldNeeded(draft: Draft, id: UnitId, hold: Hold): boolean {
  for (const page of draft.pages.values()) {
    if (!page.covers(id)) continue;
    if (page.enabled && page.place.kind !== "absent") return true;
    if (page.isWaiting && isKept(draft, page, hold)) return true;
  }
  return false;
}

/** Whether a page that waits for other units keeps a hold meanwhile. */
function isKept(draft: Draft, page: Page0, hold: Hold): boolean {
  if (!isInTime(page, hold) || isStuck(draft, page)) return false;
  return page.operations.length > 0 || hold.serial > page.served;
}

/** Units that no scope names any more become part of the rest again. */
function merge(draft: Draft): void {
  if (draft.units.get(REST)!.phase.kind !== "running") return;
  const named = new Set<UnitId>([REST]);
  for (const { scope } of draft.pages.values()) {
    if (scope !== "all") { for (const id of scope) named.add(id); }
  }
  for (const [id, { phase }] of draft.units) {
    if (phase.kind === "running" && !named.has(id)) draft.units.delete(id);
  }
}

function isStopWanted(draft: Draft, id: UnitId): boolean {
  for (const page of draft.pages.values()) {
    if (page.isWaiting && page.covers(id) && !isStuck(draft, page)) return true;
  }
  return false;
}

function stop(draft: Draft, id: UnitId, unit: Unit): void {
  const serial = draft.serial++;
  unit.phase = { kind: "stopping", serial, slow: 0 };
  const units = unitsOf(id, draft.units);
  draft.effects.push({ kind: "stop", serial, units, run: unit.run });
  if (draft.units.size > 1) draft.effects.push({ kind: "patience", serial, ms: PATIENCE });
}

/** Whether a page has lost its patience with a unit: the others are let run until that unit is held. */
function isStuck(draft: Draft, page: Page0): boolean {
  for (const [id, { phase }] of draft.units) {
    if (phase.kind === "stopping" && phase.slow > page.patience && page.covers(id)) return true;
  }
  return false;
}

/**
 * A stop takes long, or still does. Pages with less patience than that are stuck from now on. The next
 * wait for it is twice as long.
 */
function impatient(draft: Draft, serial: number): void {
  let slow = 0;
  for (const unit of draft.units.values()) {
    if (unit.phase.kind !== "stopping" || unit.phase.serial !== serial) continue;
    slow = unit.phase.slow + 1;
    unit.phase = { ...unit.phase, slow };
  }
  if (slow > 0) draft.effects.push({ kind: "patience", serial, ms: PATIENCE * 2 ** slow });
}

/**
 * A unit is held at last, after it was found to be slow so often. The pages that have waited for it keep
 * their holds for as long, until they have had their turn.
 */
function learnPatience(draft: Draft, id: UnitId, slow: number): void {
  for (const page of draft.pages.values()) {
    const hasWaited = page.isWaiting && page.covers(id) && !isStuck(draft, page);
    if (hasWaited) page.patience = Math.max(page.patience, slow);
  }
}
