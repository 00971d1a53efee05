import type { Units } from "./units.ts";
import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";
import type { TargetPcs } from "./source.ts";

/** A step of the protocol as a debug line: what happened, and what is done for it. */
export function formatStep(event: Event, effects: readonly Effect[]): string {
  return `${formatEvent(event)} -> ${effects.map(formatEffect).join("; ") || "nothing to do"}`;
}

function formatEvent(event: Event): string {
  switch (event.kind) {
    case "read":
      return `n${event.line}: page 0 is wanted`;
    case "operate":
      return `n${event.line}: ${event.operation} is wanted`;
    case "stopped": {
      const gained = [...event.gained].map((id) => `n${id}`).join(", ");
      return `stop ${event.serial}: targets stand still${gained && `, new PCs for ${gained}`}`;
    }
    case "impatient":
      return `stop ${event.serial}: takes long`;
    case "rescope":
      return `n${event.line}: its targets are elsewhere`;
    case "stored":
      return `n${event.line}: the pages above are stored`;
    case "elapsed":
      return `n${event.line}: the window is over`;
    case "reset":
      return `n${event.line}: the client has set area[0]`;
    case "dropped":
      return `n${event.line}: page 0 is dropped`;
    case "stalled":
      return `n${event.line}: the drop takes long`;
    case "closed":
      return `n${event.line}: closed`;
  }
}

function formatEffect(effect: Effect): string {
  switch (effect.kind) {
    case "stop": {
      const run = effect.run > 0 ? ` once they have run for ${Math.round(effect.run)} us` : "";
      return `stop ${effect.serial}: stop ${formatUnits(effect.units)}${run}`;
    }
    case "release":
      return `let ${formatUnits(effect.units)} run`;
    case "patience":
      return `give it ${effect.ms} ms`;
    case "store":
      return `n${effect.line}: store the pages above`;
    case "answer":
      return `n${effect.line}: answer`;
    case "wait":
      return `n${effect.line}: leave page 0 for ${Math.round(effect.us)} us`;
    case "drop":
      return `n${effect.line}: drop page 0`;
    case "grace":
      return `n${effect.line}: wait for the drop`;
    case "perform":
      return `n${effect.line}: ${effect.operation}`;
  }
}

function formatUnits(units: Units): string {
  if ("only" in units) return `the targets of unit ${units.only}`;
  return units.except.length > 0 ? `targets but of unit ${units.except.join(", ")}` : "targets";
}

/** Halves of a comparison's four words. */
const RECORD = 8;

/** What a stop has found out about a target. */
export function formatFound(serial: number, { target, kind, pcs }: TargetPcs): string {
  const found = kind === "comparisons"
    ? `made ${pcs.length / RECORD} comparisons`
    : kind === "trace"
    ? `hit ${pcs.length} probes`
    : `executed ${pcs.length} blocks`;
  return `stop ${serial}: target ${target} has ${found}`;
}
