import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatOpenMetrics, stateSamples } from "../../src/report/open_metrics.ts";

const metrics = suite("report/open_metrics");

metrics("samples are called after their family and its type", () => {
  const text = formatOpenMetrics([
    { name: "a_build", type: "info", help: "It.", samples: [{ labels: { v: "1" }, value: 1 }] },
    { name: "a_runs", type: "counter", help: "Runs.", samples: [{ value: 7 }] },
    {
      name: "a_up_seconds",
      type: "gauge",
      unit: "seconds",
      help: "Up.",
      samples: [{ value: 0.5 }],
    },
    { name: "a_none", type: "gauge", help: "Not there.", samples: [] },
  ]);
  assert.equal(text.split("\n"), [
    "# TYPE a_build info",
    "# HELP a_build It.",
    'a_build_info{v="1"} 1',
    "# TYPE a_runs counter",
    "# HELP a_runs Runs.",
    "a_runs_total 7",
    "# TYPE a_up_seconds gauge",
    "# UNIT a_up_seconds seconds",
    "# HELP a_up_seconds Up.",
    "a_up_seconds 0.5",
    "# EOF",
    "",
  ]);
});

metrics("quotes, backslashes and line ends are escaped", () => {
  const samples = [{ labels: { name: 'a"b\\c\nd', id: 3 }, value: 1 }];
  const text = formatOpenMetrics([{ name: "a", type: "gauge", help: 'A "\\".\n', samples }]);
  assert.equal(text.split("\n").slice(1, 3), [
    '# HELP a A \\"\\\\\\".\\n',
    'a{name="a\\"b\\\\c\\nd",id="3"} 1',
  ]);
});

metrics("of several states one is true", () => {
  const labels = { target: "api" };
  assert.equal(stateSamples("late", { family: "a_state", states: ["held", "late"], labels }), [
    { labels: { target: "api", a_state: "held" }, value: 0 },
    { labels: { target: "api", a_state: "late" }, value: 1 },
  ]);
});

metrics("without families there is the end alone", () => {
  assert.is(formatOpenMetrics([]), "# EOF\n");
});

metrics.run();
