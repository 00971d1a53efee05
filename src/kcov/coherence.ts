/**
 * The protocol that keeps a client's view of its area and the targets coherent, as a cache keeps a line.
 *
 * A client resets by a plain store to `area[0]` and reads by a plain load; neither is a message. The
 * server sees a READ when page 0 is touched while it is not in the kernel's page cache, and nothing at
 * all while it is. Hence the invariant, by which no read is stale and no reset is missed:
 *
 * > While any target may run, page 0 of every enabled instance is out of the cache.
 *
 * {@linkcode step} is the whole protocol: a function from a state and an event to the next state and
 * the effects to carry out, in order. It does nothing else, so that tests can walk every interleaving.
 */
import { nextWindow, PAGE_WINDOW } from "./page_window.ts";

/** Names an instance. */
export type LineId = number;

/**
 * An ioctl that the targets must stand still for. All that they did before it belongs to what was
 * before: `retire` is what becomes of an instance whose owner has died.
 */
export type Operation = "enable" | "disable" | "reset" | "retire";

/** Where page 0 of an instance is. */
type Page =
  /** Not in the cache: touching it sends a READ. */
  | { readonly kind: "absent" }
  /** A READ is about to be answered: the pages above are being stored first. */
  | { readonly kind: "storing" }
  /** In the cache, and mapped. */
  | { readonly kind: "present"; readonly timer: number }
  /** Being dropped. `again`: a READ that the drop waited for was answered meanwhile. */
  | { readonly kind: "dropping"; readonly drop: number; readonly again: boolean };

const ABSENT: Page = { kind: "absent" };

/** Page 0 of one instance: the line of the cache. */
class Line {
  /** The invariant holds for it. Becomes true when ENABLE begins and false when DISABLE is done. */
  enabled = false;
  page: Page = ABSENT;
  /** READs that wait for an answer. */
  reads = 0;
  operations: readonly Operation[] = [];
  /** It had its turn in this hold; it must let the targets run before the next. */
  served = false;
  /** The last collection brought it PCs. */
  gained = false;
  /** It came back: µs since its window opened, or -1. */
  returned = -1;
  /** When its window was last opened, in µs; -1 for never. */
  opened = -1;
  /** The client has changed `area[0]` since the last collection. */
  reset = false;
  /** µs that its window stays open. */
  window: number = PAGE_WINDOW.initial;

  copy(): Line {
    const line = new Line();
    line.enabled = this.enabled;
    line.page = this.page;
    line.reads = this.reads;
    line.operations = this.operations;
    line.served = this.served;
    line.gained = this.gained;
    line.returned = this.returned;
    line.opened = this.opened;
    line.reset = this.reset;
    line.window = this.window;
    return line;
  }
}

type Phase =
  | { readonly kind: "running" }
  /** The targets are being collected from and held. */
  | { readonly kind: "stopping" }
  /** No target runs, and all that any did is in the areas of the enabled instances. */
  | { readonly kind: "held"; readonly since: number };

/** Everything that the protocol knows. */
export interface Coherence {
  readonly phase: Phase;
  readonly lines: ReadonlyMap<LineId, Readonly<Line>>;
  /** Names timers and drops; those of the past are told apart by it. */
  readonly serial: number;
  /** Holds in a row in which no client learned or did anything. */
  readonly polls: number;
  /** µs that the targets must be let run before they are stopped again. */
  readonly run: number;
}

/** What happened. */
export type Event =
  /** A READ of page 0 arrived. */
  | { readonly kind: "read"; readonly line: LineId }
  /** An ioctl arrived that was found valid. */
  | { readonly kind: "operate"; readonly line: LineId; readonly operation: Operation }
  /**
   * The targets are held, and what they had executed by then was appended to the areas of the enabled
   * instances: `gained` names those that got something new.
   */
  | { readonly kind: "stopped"; readonly gained: ReadonlySet<LineId> }
  | { readonly kind: "stored"; readonly line: LineId }
  /** A window's time is up. */
  | { readonly kind: "elapsed"; readonly line: LineId; readonly timer: number }
  /** The client's page 0 came back, and `area[0]` was changed. */
  | { readonly kind: "reset"; readonly line: LineId }
  /** The kernel has dropped page 0. */
  | { readonly kind: "dropped"; readonly line: LineId; readonly drop: number }
  /** A READ has waited for a drop that may in turn wait for the READ. */
  | { readonly kind: "stalled"; readonly line: LineId; readonly drop: number }
  /** Nobody has the instance open or mapped any more. */
  | { readonly kind: "closed"; readonly line: LineId };

/** What is to be done. Each is answered by the event in parentheses, if any. */
export type Effect =
  /** Collect from all targets and hold them, letting them run for `run` µs first (`stopped`). */
  | { readonly kind: "stop"; readonly run: number }
  | { readonly kind: "release" }
  /** Store what the page cache lacks of the pages above page 0 (`stored`). */
  | { readonly kind: "store"; readonly line: LineId }
  /** Answer all READs of page 0 that wait. */
  | { readonly kind: "answer"; readonly line: LineId }
  /** (`elapsed`) */
  | { readonly kind: "wait"; readonly line: LineId; readonly timer: number; readonly us: number }
  /** Have the kernel drop page 0 (`dropped`). */
  | { readonly kind: "drop"; readonly line: LineId; readonly drop: number }
  /** Wait for {@linkcode STALL} ms (`stalled`). */
  | { readonly kind: "grace"; readonly line: LineId; readonly drop: number }
  /** Carry out an ioctl and answer it. */
  | { readonly kind: "perform"; readonly line: LineId; readonly operation: Operation };

/** µs into a hold after which it takes in no further instance, so that the targets get to run. */
const ADMISSION = 1000;
/** ms that a READ waits for a drop. A drop takes some tens of µs, unless it waits for the READ. */
export const STALL = 2;
/** µs that targets run at least between two holds, and at most when clients do nothing but poll. */
const RUN = { least: 20, most: 2000 } as const;

/** Nothing enabled, the targets running. */
export const INITIAL: Coherence = {
  phase: { kind: "running" },
  lines: new Map(),
  serial: 1,
  polls: 0,
  run: 0,
};

/** A state under construction: what one step changes. */
interface Draft {
  readonly now: number;
  phase: Phase;
  readonly lines: Map<LineId, Line>;
  serial: number;
  polls: number;
  run: number;
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
  const { phase, serial, polls, run } = state;
  const lines = new Map<LineId, Line>();
  for (const [id, line] of state.lines) lines.set(id, line.copy());
  const draft: Draft = { now, phase, lines, serial, polls, run, effects: [] };
  apply(draft, event);
  settle(draft);
  return {
    state: {
      lines,
      phase: draft.phase,
      serial: draft.serial,
      polls: draft.polls,
      run: draft.run,
    },
    effects: draft.effects,
  };
}

function lineOf(draft: Draft, id: LineId): Line {
  let line = draft.lines.get(id);
  if (!line) draft.lines.set(id, line = new Line());
  return line;
}

function apply(draft: Draft, event: Event): void {
  if (event.kind === "read") return read(draft, event.line);
  if (event.kind === "operate") return operate(draft, event.line, event.operation);
  if (event.kind === "stopped") return stopped(draft, event.gained);
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
    case "closed":
      draft.lines.delete(event.line);
      return;
  }
}

function read(draft: Draft, id: LineId): void {
  const line = lineOf(draft, id);
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

function answer(draft: Draft, id: LineId, line: Line): void {
  line.reads = 0;
  draft.effects.push({ kind: "answer", line: id });
}

function operate(draft: Draft, id: LineId, operation: Operation): void {
  const line = lineOf(draft, id);
  line.operations = [...line.operations, operation];
  line.enabled ||= operation === "enable";
  if (needsAbsence(operation) && line.page.kind === "present") drop(draft, id, line);
}

/** Whether an operation changes page 0, or begins to keep it coherent. */
function needsAbsence(operation: Operation): boolean {
  return operation === "enable" || operation === "reset";
}

function stopped(draft: Draft, gained: ReadonlySet<LineId>): void {
  draft.phase = { kind: "held", since: draft.now };
  for (const [id, line] of draft.lines) {
    // It had PCs to take in, and came back for nothing but that, or to reset.
    const isMiss = line.gained && !line.reset && line.returned >= 0 && !gained.has(id);
    if (isMiss) line.window = nextWindow(line.window, { kind: "missed", after: line.returned });
    line.gained = gained.has(id);
    line.served = false;
    line.reset = false;
    line.returned = -1;
  }
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
  if (draft.phase.kind === "held" && !isHoldNeeded(draft)) release(draft, draft.phase.since);
  if (draft.phase.kind === "running" && isStopWanted(draft)) {
    draft.phase = { kind: "stopping" };
    draft.effects.push({ kind: "stop", run: draft.run });
  }
}

function perform(draft: Draft, id: LineId, line: Line): void {
  if (draft.phase.kind !== "held") return;
  while (line.operations.length > 0) {
    const [operation, ...operations] = line.operations;
    if (needsAbsence(operation) && line.page.kind !== "absent") return;
    if (operation === "disable" || operation === "retire") line.enabled = false;
    line.operations = operations;
    draft.effects.push({ kind: "perform", line: id, operation });
    draft.polls = -1;
  }
}

/** Begins to answer READs of page 0: at once where nothing is enabled, else in a hold. */
function admit(draft: Draft, id: LineId, line: Line): void {
  if (line.reads === 0 || line.page.kind !== "absent") return;
  if (line.enabled) {
    if (draft.phase.kind !== "held" || line.served || line.operations.length > 0) return;
    if (draft.now - draft.phase.since > ADMISSION) return;
  }
  line.page = { kind: "storing" };
  line.served = true;
  draft.effects.push({ kind: "store", line: id });
}

function isHoldNeeded(draft: Draft): boolean {
  for (const line of draft.lines.values()) {
    if (line.operations.length > 0) return true;
    if (line.enabled && line.page.kind !== "absent") return true;
  }
  return false;
}

function isStopWanted(draft: Draft): boolean {
  for (const line of draft.lines.values()) {
    if (line.operations.length > 0) return true;
    if (line.enabled && line.reads > 0 && line.page.kind === "absent") return true;
  }
  return false;
}

function release(draft: Draft, since: number): void {
  let isIdle = true;
  for (const line of draft.lines.values()) if (line.gained || line.reset) isIdle = false;
  draft.polls = isIdle ? Math.min(draft.polls + 1, 8) : 0;
  draft.run = draft.polls === 0
    ? Math.min(Math.max(RUN.least, (draft.now - since) / 4), RUN.most)
    : Math.min(RUN.least << draft.polls, RUN.most);
  draft.phase = { kind: "running" };
  draft.effects.push({ kind: "release" });
}
