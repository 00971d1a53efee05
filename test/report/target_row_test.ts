import { suite } from "uvu";
import * as assert from "uvu/assert";
import { targetRow } from "../../src/server/target_row.ts";
import { Target, type TargetInfo } from "../../src/targets/target.ts";
import { FakeLink } from "../targets/fake_link.ts";
import { targetId } from "../../src/kcov/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";

const report = suite("report/target_row");

const NONE = { measured: 0, blocks: 0, coarse: 0, unnamed: 0, unparsed: 0, unkept: 0, strange: 0 };

function target(id: number, info: Partial<TargetInfo> = {}): Target {
  const whole = { name: "api", pid: 4321, runtime: "node v20.20.2", ...info };
  return new Target(new FakeLink(), { id: targetId(id), info: whole, hold: "auto", onChange() {} });
}

report("a row has what the target says of itself, and what was counted", () => {
  assert.equal(targetRow(target(1), { counts: { ...NONE, measured: 12, blocks: 3456 } }), {
    ...{ id: 1, name: "api", pid: 4321, runtime: "node v20.20.2", link: "fake" },
    ...{ collector: "v8", hold: "gate", scripts: 12, blocks: 3456, state: "running", note: "" },
  });
});

report("a worker thread's has its number, and the target that has started it", () => {
  const row = targetRow(target(2, { tid: threadId(4330), parent: target(1) }), { counts: NONE });
  assert.equal([row.tid, row.parent], [4330, 1]);
});

report("the note has all that is to be said", () => {
  const subject = target(1, { remark: "its optimisers are on" });
  subject.note = "cannot be held";
  assert.is(
    targetRow(subject, {
      counts: { ...NONE, coarse: 3, unnamed: 2, unparsed: 1 },
      unseen: "2 instances do not see it",
    }).note,
    "cannot be held, its optimisers are on, 2 instances do not see it, 3 functions without block counters, " +
      "2 scripts without a URL, 1 script that cannot be parsed",
  );
});

report("a script that could have no PCs is in the note, with the reason", () => {
  const counts = { ...NONE, unkept: 2, unkeptReason: "no space left in the state folder" };
  assert.is(
    targetRow(target(1), { counts }).note,
    "2 scripts without PCs: no space left in the state folder",
  );
});

report("globs that leave out all that a target has loaded are in the note", () => {
  const note = (counts: { measured: number; excluded: number }) =>
    targetRow(target(1), { counts: { ...NONE, ...counts } }).note;
  assert.is(note({ measured: 0, excluded: 136 }), "the globs leave out all of its 136 scripts");
  assert.is(note({ measured: 0, excluded: 1 }), "the globs leave out its only script");
  assert.is(note({ measured: 1, excluded: 135 }), "");
});

report.run();
