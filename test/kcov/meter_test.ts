import { suite } from "uvu";
import * as assert from "uvu/assert";
import { noCounts } from "../../src/kcov/mod.ts";
import { Meter } from "../../src/kcov/meter.ts";

const meter = suite("kcov/meter");

const made = () => {
  const total = noCounts();
  return { total, subject: new Meter(total) };
};

meter("what was recorded since the area was emptied is one execution", () => {
  const { subject } = made();
  for (const pcs of [3, 0, 4]) subject.recorded(pcs, false);
  subject.emptied();
  subject.recorded(0, false);
  subject.emptied();
  subject.recorded(5, false);
  const { executions, pcs, full } = subject.counts;
  assert.equal([executions, pcs, full], [2, 12, 0]);
});

meter("an execution that fills the area is one, however often more comes", () => {
  const { subject } = made();
  subject.recorded(7, true);
  subject.recorded(0, true);
  assert.is(subject.counts.full, 1);
  subject.emptied();
  subject.recorded(2, false);
  assert.is(subject.counts.full, 1);
  subject.recorded(5, true);
  assert.is(subject.counts.full, 2);
  subject.emptied();
  subject.recorded(0, true);
  assert.is(subject.counts.full, 2, "the client itself has left no room");
});

meter("a fault's time is split by what it is spent on", () => {
  const { subject } = made();
  subject.asked(100);
  subject.asked(150);
  subject.held(1100);
  subject.answered(1130);
  assert.equal(subject.counts, noCounts(), "not before it is over");
  subject.dropped(1330);
  subject.dropped(9999);
  const { faults, collecting, answering, holding } = subject.counts;
  assert.equal([faults, collecting, answering, holding], [1, 1000, 30, 200]);
});

meter("a fault that comes while the page is taken back waits from then on", () => {
  const { subject } = made();
  for (const at of [0, 1000]) {
    subject.asked(at);
    subject.held(at + 400);
    subject.answered(at + 410);
    if (at === 0) subject.asked(900);
    subject.dropped(at + 950);
  }
  const { faults, collecting, answering, holding } = subject.counts;
  assert.equal([faults, collecting, answering, holding], [2, 400 + 500, 20, 2 * 540]);
});

meter("what is answered without holding anybody is no fault", () => {
  const { subject } = made();
  subject.asked(1);
  subject.answered(2);
  subject.held(3);
  subject.answered(4);
  subject.dropped(5);
  assert.equal(subject.counts, noCounts());
});

meter("meters add to their total what they count", () => {
  const { total, subject } = made();
  const other = new Meter(total);
  subject.recorded(3, false);
  other.recorded(4, true);
  assert.equal(total, { ...noCounts(), executions: 2, pcs: 7, full: 1 });
  assert.equal(subject.counts, { ...noCounts(), executions: 1, pcs: 3 });
});

meter.run();
