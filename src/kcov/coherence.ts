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
 * An event changes what it concerns ({@linkcode applyEvent}), and then is done whatever that has made
 * possible ({@linkcode settle}).
 *
 * Instances share holds: whoever needs a unit held finds it held, whoever had it held. So nobody waits
 * for a hold to begin but for the time that a collection takes. A hold ends when nobody needs it, and
 * that it does is due to two rules: an instance has one turn in it, and whoever comes late, or comes
 * again, waits for the next. An instance that waits for such an end keeps only holds that began after
 * the one that is to end, so that no two wait for each other.
 */
import { applyEvent } from "./apply_event.ts";
import type { Draft } from "./draft.ts";
import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";
import { Line, type LineId } from "./line.ts";
import { settle } from "./settle.ts";
import { REST, Unit } from "./unit.ts";

/** Everything that the protocol knows. */
export interface Coherence {
  readonly lines: ReadonlyMap<LineId, Readonly<Line>>;
  /** Those that a line's scope names, and {@linkcode REST}. */
  readonly units: ReadonlyMap<number, Readonly<Unit>>;
  /** Names timers, drops, stops and holds; those of the past are told apart by it. */
  readonly serial: number;
}

/** Nothing enabled, the targets running. */
export const INITIAL: Coherence = {
  lines: new Map(),
  units: new Map([[REST, new Unit()]]),
  serial: 1,
};

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
  applyEvent(draft, event);
  settle(draft);
  return { state: { lines, units, serial: draft.serial }, effects: draft.effects };
}
