import type { Effect } from "./effect.ts";
import type { Line, LineId } from "./line.ts";
import type { Unit } from "./unit.ts";

/** A state under construction: what one step changes. */
export interface Draft {
  readonly now: number;
  readonly lines: Map<LineId, Line>;
  readonly units: Map<number, Unit>;
  serial: number;
  readonly effects: Effect[];
}

/** A line's client has learned or done something: the holds that it takes part in are not but polls. */
export function markFruitful(draft: Draft, line: Line): void {
  for (const [id, unit] of draft.units) if (line.covers(id)) unit.isFruitful = true;
}
