import { suite } from "uvu";
import * as assert from "uvu/assert";
import { optimises } from "../../src/targets/v8_flags.ts";

const v8Flags = suite("v8_flags");

for (
  const flags of [
    "--max-opt=1",
    "--jitless",
    "--expose-gc,--no-opt,--no-maglev",
    "--no-maglev --noopt",
  ]
) {
  v8Flags(`with ${flags} V8 does not optimise`, () => assert.is(optimises(flags), false));
}

for (
  const flags of [
    "",
    "--no-opt",
    "--no-maglev",
    "--max-opt=2",
    "--max-opt=10",
    "--no-optimize,--no-maglev",
  ]
) {
  v8Flags(`with ${flags || "no flags"} V8 optimises`, () => assert.is(optimises(flags), true));
}

v8Flags.run();
