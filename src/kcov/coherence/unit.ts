import { type UnitId, unitId } from "../ids.ts";

/**
 * A set of units, given as a few units or as all but a few. A unit is a process, whose targets are stopped
 * and released together; its number is that of its main thread's target.
 */
export type Units = { readonly only: readonly UnitId[] } | { readonly except: readonly UnitId[] };

/** Every unit. */
export const ALL_UNITS: Units = { except: [] };

/** Whether a set has a unit in it. */
export function hasUnit(units: Units, unit: UnitId): boolean {
  return "only" in units ? units.only.includes(unit) : !units.except.includes(unit);
}

/** A set of units; units can be added to it and taken from it. */
export class UnitSet {
  /** Whether the set has the units other than those below. */
  #rest = false;
  readonly #differing = new Set<UnitId>();

  has(unit: UnitId): boolean {
    return this.#differing.has(unit) ? !this.#rest : this.#rest;
  }

  add(units: Units): void {
    this.#set(units, true);
  }

  delete(units: Units): void {
    this.#set(units, false);
  }

  #set(units: Units, value: boolean): void {
    if ("only" in units) {
      for (const unit of units.only) this.#setOne(unit, value);
      return;
    }
    const kept = units.except.filter((unit) => this.has(unit) !== value);
    this.#rest = value;
    this.#differing.clear();
    for (const unit of kept) this.#differing.add(unit);
  }

  #setOne(unit: UnitId, value: boolean): void {
    if (value === this.#rest) this.#differing.delete(unit);
    else this.#differing.add(unit);
  }
}

/**
 * The unit of all targets that no scope names. It is split when a scope names some of them. A unit that no
 * scope names any more becomes part of it again.
 */
export const REST = unitId(0);

/** The state of a unit's targets. */
export type Phase =
  | { readonly kind: "running" }
  /**
   * They are being collected from and held. `slow`: the number of times that it was found to take longer;
   * the wait before each is twice as long.
   */
  | { readonly kind: "stopping"; readonly serial: number; readonly slow: number }
  | Hold;

/** No target runs, and all that they executed is in the areas of the enabled instances that trace them. */
export interface Hold {
  readonly kind: "held";
  readonly serial: number;
  /** In µs. */
  readonly since: number;
}

export const RUNNING: Phase = { kind: "running" };

/** µs: targets run at least so long between two holds, and at most so long if clients do nothing but poll. */
const RUN = { least: 20, most: 2000 } as const;

/** Targets that are stopped and released together. */
export class Unit {
  phase: Phase = RUNNING;
  /** Holds in a row in which no client learned or did anything. */
  polls = 0;
  /** µs for which it must run before it is stopped again. */
  run = 0;
  /** Whether a client has learned or done something in this hold. */
  isFruitful = false;

  copy(): Unit {
    const unit = new Unit();
    unit.phase = this.phase;
    unit.polls = this.polls;
    unit.run = this.run;
    unit.isFruitful = this.isFruitful;
    return unit;
  }

  /** Ends the hold. */
  release(hold: Hold, now: number): void {
    this.polls = this.isFruitful ? 0 : Math.min(this.polls + 1, 8);
    this.run = this.polls === 0
      ? Math.min(Math.max(RUN.least, (now - hold.since) / 4), RUN.most)
      : Math.min(RUN.least << this.polls, RUN.most);
    this.phase = RUNNING;
  }
}

/** {@linkcode REST} stands for all units but the others that are known. */
export function unitsOf(id: UnitId, units: ReadonlyMap<UnitId, unknown>): Units {
  if (id !== REST) return { only: [id] };
  return { except: [...units.keys()].filter((other) => other !== REST) };
}
