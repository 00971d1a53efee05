import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ALL_UNITS, hasUnit, type Units, UnitSet } from "../../src/kcov/coherence/unit.ts";
import { unitId } from "../../src/kcov/ids.ts";

const units = suite("units");

const NAMES = [1, 2, 3, 4, 5];
const members = (has: (unit: number) => boolean) => NAMES.filter(has);

units("a set is said by what is in it, or by what is not", () => {
  const named = (set: Units) => members((unit) => hasUnit(set, unitId(unit)));
  assert.equal(named({ only: [unitId(2), unitId(4)] }), [2, 4]);
  assert.equal(named({ except: [unitId(2), unitId(4)] }), [1, 3, 5]);
  assert.equal(named(ALL_UNITS), NAMES);
  assert.equal(named({ only: [] }), []);
});

units("whatever is added and taken, a set has what was added last", () => {
  const sets: Units[] = [
    ALL_UNITS,
    { only: [unitId(1)] },
    { only: [unitId(2), unitId(3)] },
    { except: [unitId(1)] },
    { except: [unitId(2), unitId(5)] },
    { only: [] },
  ];
  let random = 7;
  const next = (below: number) =>
    ((random = (Math.imul(random, 1103515245) + 12345) >>> 0) >>> 8) % below;
  const subject = new UnitSet();
  const model = new Set<number>();
  for (let i = 0; i < 2000; i++) {
    const set = sets[next(sets.length)];
    const isAdded = next(2) === 0;
    if (isAdded) subject.add(set);
    else subject.delete(set);
    for (const unit of NAMES.filter((unit) => hasUnit(set, unitId(unit)))) {
      if (isAdded) model.add(unit);
      else model.delete(unit);
    }
    assert.equal(members((unit) => subject.has(unitId(unit))), members((unit) => model.has(unit)));
  }
});

units.run();
