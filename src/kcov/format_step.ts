import type { Units } from "../units.ts";
import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";

/** A step of the protocol as a debug line. */
export function formatStep(event: Event, effects: readonly Effect[]): string {
  const name = (item: Event | Effect) =>
    item.kind + ("line" in item ? ` n${item.line}` : "") +
    ("units" in item ? formatUnits(item.units) : "") +
    ("operation" in item ? ` ${item.operation}` : "");
  return `${name(event)} -> ${effects.map(name).join(", ") || "-"}`;
}

function formatUnits(units: Units): string {
  if ("only" in units) return ` u${units.only}`;
  return units.except.length > 0 ? ` all but u${units.except}` : "";
}
