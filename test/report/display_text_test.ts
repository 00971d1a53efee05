/** The display of names that others have made up. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { visible, visibleJson, visibleLines } from "../../src/report/display_text.ts";
import { formatOpenMetrics } from "../../src/report/open_metrics.ts";
import { formatTargets, formatUnprobed } from "../../src/report/targets.ts";
import { targetId } from "../../src/kcov/ids.ts";

const display = suite("report/display_text");

/** Colours, a clipboard, a link, a C1 CSI, an overriding direction, a line, a return. */
const EVIL = "a\x1b[31m\x1b]52;c;YQ==\x07\x1b]8;;x\x1b\\\x9b2J\u202e\u2066\n\r\t\u2028z\\\"'é";
// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/;

display("a terminal is told nothing but text", () => {
  assert.not.match(visible(EVIL), CONTROLS);
  assert.match(visible(EVIL), /^a\?\[31m.*z\\"'é$/);
  assert.is(visibleLines("a\tb\n\x1b[1m\r"), "a\tb\n?[1m?");
});

display("JSON has the same value", () => {
  const text = visibleJson({ name: EVIL });
  assert.equal(JSON.parse(text), { name: EVIL });
  assert.not.match(text.replaceAll("\n", ""), CONTROLS);
});

display("targets and scripts are a line each, whatever their names", () => {
  const row = {
    ...{
      id: targetId(1),
      name: EVIL,
      pid: 2,
      runtime: EVIL,
      link: "agent",
      collector: "v8",
      hold: "gate",
    },
    ...{ scripts: 1, blocks: 2, state: "running", note: EVIL },
  };
  const table = formatTargets([row, row]);
  assert.is(table.split("\n").length, 4);
  const scripts = formatUnprobed([{ target: "api", url: EVIL, reason: EVIL }]);
  assert.is(scripts.split("\n").length, 4);
  for (const text of [table, scripts]) {
    assert.not.match(text.replaceAll("\n", ""), CONTROLS);
  }
});

display("a metric is a line, whatever its labels", () => {
  const text = formatOpenMetrics([
    {
      name: "a",
      type: "gauge",
      help: "A.",
      samples: [{ labels: { name: EVIL }, value: 1 }],
    },
  ]);
  assert.is(text.split("\n").length, 5);
  assert.not.match(text.replaceAll("\n", ""), CONTROLS);
  assert.match(text, /\\n\?\?\?z\\\\\\"'é"} 1/);
});

display.run();
