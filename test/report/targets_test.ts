import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TargetRow } from "../../src/messages/requests.ts";
import { formatTargets, formatUnprobed } from "../../src/report/targets.ts";
import { targetId } from "../../src/kcov/ids.ts";

const report = suite("report/targets");

const ROW: TargetRow = {
  ...{ id: targetId(1), name: "api", pid: 4321, runtime: "node v20.20.2", link: "agent" },
  ...{ collector: "v8", hold: "gate", scripts: 12, blocks: 3456, state: "running", note: "" },
};

report("without targets there are the headings alone", () => {
  assert.is(
    formatTargets([]),
    "ID  NAME  PID  RUNTIME  LINK  COLLECTOR  HOLD  SCRIPTS  BLOCKS  STATE\n",
  );
});

report("a target has a line, and columns are as wide as what is in them", () => {
  const long = { ...ROW, id: targetId(10), name: "a-long-name", blocks: 123456789, state: "held" };
  assert.equal(formatTargets([ROW, long]).split("\n"), [
    "ID  NAME         PID   RUNTIME        LINK   COLLECTOR  HOLD  SCRIPTS  BLOCKS     STATE",
    "1   api          4321  node v20.20.2  agent  v8         gate  12       3456       running",
    "10  a-long-name  4321  node v20.20.2  agent  v8         gate  12       123456789  held",
    "",
  ]);
});

report("a note stands after the state", () => {
  const [, line] = formatTargets([{ ...ROW, state: "late", note: "no answer within 100 ms" }])
    .split("\n");
  assert.match(line, / {2}late \(no answer within 100 ms\)$/);
});

report("scripts without probes follow the targets, a line each, with the reason", () => {
  const scripts = [
    { target: "api", url: "file:///app/a.js", reason: "the globs leave it out" },
    { target: "api.worker", url: "evalmachine.js", reason: "Unexpected token (1:2)" },
  ];
  assert.equal(formatUnprobed(scripts).split("\n"), [
    "",
    "TARGET      SCRIPT            NOT MEASURED BECAUSE",
    "api         file:///app/a.js  the globs leave it out",
    "api.worker  evalmachine.js    Unexpected token (1:2)",
    "",
  ]);
});

report("many scripts of a target that have no probes for one reason are one line", () => {
  const reason = "the globs leave it out";
  const alike = Array.from(
    { length: 136 },
    (_, i) => ({ target: "api", url: `file:///${i}`, reason }),
  );
  const other = { target: "late", url: "file:///a.js", reason };
  assert.equal(formatUnprobed([...alike, other]).split("\n"), [
    "",
    "TARGET  SCRIPT        NOT MEASURED BECAUSE",
    "api     136 scripts   the globs leave it out",
    "late    file:///a.js  the globs leave it out",
    "",
  ]);
});

report("where all scripts have probes nothing follows", () => {
  assert.is(formatUnprobed([]), "");
});

report.run();
