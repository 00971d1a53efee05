/**
 * What is stopped and let go together is a unit: a process, named by the number of its main thread's
 * target. Here is how sets of them are said; all but a few of them are as easily said as a few.
 */
export type Units = { readonly only: readonly number[] } | { readonly except: readonly number[] };

/** Every unit. */
export const ALL_UNITS: Units = { except: [] };

/** Whether a set has a unit in it. */
export function hasUnit(units: Units, unit: number): boolean {
  return "only" in units ? units.only.includes(unit) : !units.except.includes(unit);
}

/** A set of units to which others are added and from which they are taken. */
export class UnitSet {
  /** What is true of all units but those below. */
  #rest = false;
  readonly #differing = new Set<number>();

  has(unit: number): boolean {
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

  #setOne(unit: number, value: boolean): void {
    if (value === this.#rest) this.#differing.delete(unit);
    else this.#differing.add(unit);
  }
}
