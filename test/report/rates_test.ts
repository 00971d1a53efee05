import { suite } from "uvu";
import * as assert from "uvu/assert";
import { noCounts } from "../../src/kcov/mod.ts";
import { ratesIn } from "../../src/report/rates.ts";
import { BEFORE, direct, NOW } from "./snapshots.ts";

const rates = suite("report/rates");

rates("counts of two times make rates, and the mean of a fault", () => {
  const { executions, faults, fault } = ratesIn({ before: BEFORE, now: NOW })!;
  const { collecting, answering, holding } = fault!;
  assert.equal([executions, faults], [412.3, 420]);
  assert.equal([collecting, answering, holding], [2.1, 0.03, 0.2]);
});

rates("without a fault there is no mean of one", () => {
  const now = { ...BEFORE, uptime: BEFORE.uptime + 1 };
  assert.equal(ratesIn({ before: BEFORE, now }), { executions: 0, faults: 0 });
});

rates("what was not counted at both times has no rate", () => {
  assert.is(ratesIn({ now: NOW }), undefined);
  assert.is(ratesIn({ before: direct(BEFORE), now: direct(NOW) }), undefined);
  const ofNew = ratesIn({ before: BEFORE, now: NOW }, ({ instances }) => instances[1]?.counts);
  assert.is(ofNew, undefined);
});

rates("two snapshots of one moment have no rate", () => {
  const total = { ...noCounts(), executions: 1 };
  assert.is(ratesIn({ before: NOW, now: { ...NOW, total } }), undefined);
});

rates.run();
