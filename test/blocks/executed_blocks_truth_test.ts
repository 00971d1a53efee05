import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NODES, runProgram } from "./v8_answers.ts";

const test = suite("blocks/executed_blocks against V8");

for (const { v8, path } of NODES) {
  test(`V8 ${v8} lacks counters for blocks exactly when \`isBlockCoverage\` is documented to be false`, () => {
    assert.equal(JSON.parse(runProgram(path, "report_coarse.cjs")), {
      "compiled before coverage": false,
      "compiled while coverage is on, its script before": true,
      "without any slot": true,
      "a generator without any slot": true,
      "from a code cache": false,
      "one of two sessions has disabled the debugger": true,
      "the last session has disabled the debugger": false,
      "coverage was stopped and started": false,
    });
  });
}

test.run();
