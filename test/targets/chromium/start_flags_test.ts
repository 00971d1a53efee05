import { suite } from "uvu";
import * as assert from "uvu/assert";
import { remarkOnFlags } from "../../../src/targets/chromium/start_flags.ts";

const startFlags = suite("start_flags");

const SILENT = [
  "chromium --js-flags=--no-opt,--no-maglev --headless",
  "chromium --js-flags=--no-opt --no-maglev --headless",
  'chromium --js-flags="--no-maglev --no-opt" about:blank',
  "chromium --js-flags=--max-opt=1",
  "chromium --js-flags=--jitless about:blank",
  "chromium --js-flags=--expose-gc,--no-turbofan,--no-maglev",
];

for (const commandLine of SILENT) {
  startFlags(`nothing is said of ${commandLine}`, () => {
    assert.is(remarkOnFlags(commandLine), "");
  });
}

const TALKED_OF = [
  "chromium",
  "chromium --js-flags=--expose-gc about:blank",
  "chromium --js-flags=--no-opt",
  "chromium --js-flags=--no-maglev",
  "chromium --js-flags=--no-optimize-for-size,--no-maglev",
  "chromium --no-opt --no-maglev",
  "chromium --js-flags=--max-opt=3",
];

for (const commandLine of TALKED_OF) {
  startFlags(`${commandLine} is said to optimise`, () => {
    assert.match(remarkOnFlags(commandLine), "--js-flags=--no-opt,--no-maglev");
  });
}

startFlags.run();
