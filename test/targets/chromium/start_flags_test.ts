import { suite } from "uvu";
import * as assert from "uvu/assert";
import { remarkOnFlags } from "../../../src/targets/chromium/start_flags.ts";

const startFlags = suite("start_flags");

const EAGER = "--no-enable-lazy-source-positions";

const SILENT = [
  `chromium --js-flags=--no-opt,--no-maglev,${EAGER} --headless`,
  `chromium --js-flags=--no-opt --no-maglev ${EAGER} --headless`,
  `chromium --js-flags="${EAGER} --no-maglev --no-opt" about:blank`,
  "chromium --js-flags=--max-opt=1,--no-enable_lazy_source_positions",
  `chromium --js-flags=--jitless,${EAGER} about:blank`,
  `chromium --js-flags=--expose-gc,${EAGER},--no-turbofan,--no-maglev`,
];

for (const commandLine of SILENT) {
  startFlags(`nothing is said of ${commandLine}`, () => {
    assert.is(remarkOnFlags(commandLine), "");
  });
}

const TALKED_OF = [
  "chromium",
  "chromium --js-flags=--expose-gc about:blank",
  `chromium --js-flags=--no-opt,${EAGER}`,
  "chromium --js-flags=--no-maglev",
  "chromium --js-flags=--no-optimize-for-size,--no-maglev",
  "chromium --no-opt --no-maglev",
  "chromium --js-flags=--max-opt=3",
];

for (const commandLine of TALKED_OF) {
  startFlags(`${commandLine} is said to optimise`, () => {
    assert.match(remarkOnFlags(commandLine), `it optimises`);
    assert.match(remarkOnFlags(commandLine), `--js-flags=--no-opt,--no-maglev,${EAGER}`);
  });
}

startFlags("one that puts off positions is said to crash", () => {
  const remark = remarkOnFlags("chromium --js-flags=--no-opt,--no-maglev");
  assert.match(remark, "may crash");
  assert.match(remark, `--js-flags=--no-opt,--no-maglev,${EAGER}`);
});

startFlags.run();
