import { createRequire } from "node:module";
import v8 from "node:v8";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const require = createRequire(import.meta.url);
const { inlineProbes } = require("../../../src/agent/inside/inline_probes.cjs") as {
  inlineProbes: () => () => void;
};

const FLAG = "--max-inlined-bytecode-size-cumulative";
const { setFlagsFromString } = v8;
const { execArgv } = process;
let flags: string[] = [];

const inlining = suite("inlining of probes");

inlining.before.each(() => {
  flags = [];
  v8.setFlagsFromString = (flag) => flags.push(flag);
});

inlining.after.each(() => {
  v8.setFlagsFromString = setFlagsFromString;
  process.execArgv = execArgv;
});

inlining("V8 may inline more, but not before the main script was loaded", async () => {
  inlineProbes();
  assert.equal(flags, []);
  await Promise.resolve();
  assert.equal(flags, [`${FLAG}=4600`]);
});

inlining("it is put back to what it was", async () => {
  const undo = inlineProbes();
  await Promise.resolve();
  undo();
  assert.equal(flags, [`${FLAG}=4600`, `${FLAG}=920`]);
});

inlining("nothing is changed after it was put back", async () => {
  inlineProbes()();
  await Promise.resolve();
  assert.equal(flags, [`${FLAG}=920`]);
});

for (const given of [`${FLAG}=100`, `${FLAG.replaceAll("-", "_").replace("__", "--")}=100`]) {
  inlining(`a user's ${given} stays`, async () => {
    process.execArgv = [given];
    const undo = inlineProbes();
    await Promise.resolve();
    undo();
    assert.equal(flags, []);
  });
}

inlining.run();
