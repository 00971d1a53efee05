import { type Draft, markFruitful } from "./draft.ts";
import type { Event } from "./event.ts";
import { ABSENT, Line, type LineId, type LineScope, needsAbsence } from "./line.ts";
import { nextWindow } from "./page_window.ts";
import { impatient, learnPatience } from "./patience.ts";
import { REST } from "./unit.ts";

/** Changes what an event changes by itself, and begins to answer it where nobody is to be waited for. */
export function applyEvent(draft: Draft, event: Event): void {
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

function lineOf(draft: Draft, id: LineId): Line {
  let line = draft.lines.get(id);
  if (!line) draft.lines.set(id, line = new Line());
  return line;
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
