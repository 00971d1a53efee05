const v8 = require("node:v8") as typeof import("node:v8");

const FLAG = "--max-inlined-bytecode-size-cumulative";
/** V8's `flags/flag-definitions.h`, on Node 20 to 26. */
const DEFAULT = 920;
const RAISED = 4600;

/**
 * Lets V8 inline more into a function that it optimises. A probe takes some 90 bytes of bytecode, so ten
 * of them use up what V8 allows, and the others, and the functions that it would have inlined into plain
 * code, are called. Measured with `bench/slowdown_bench` on Node 20, 24 and 26: code with probes takes
 * 1.35 to 1.75 times as long as plain code, instead of 1.75 to 2.15.
 *
 * Node's own modules come out of a code cache that V8 refuses under other flags than it was made with.
 * So this waits until the program's main script, and what that requires, was loaded.
 *
 * @returns a function that puts it back.
 */
function inlineProbes(): () => void {
  if (process.execArgv.some((option) => option.replaceAll("_", "-").startsWith(FLAG))) {
    return () => {};
  }
  const { setFlagsFromString } = v8;
  let isUndone = false;
  queueMicrotask(() => {
    if (!isUndone) setFlagsFromString(`${FLAG}=${RAISED}`);
  });
  return () => {
    isUndone = true;
    setFlagsFromString(`${FLAG}=${DEFAULT}`);
  };
}

const parts = { inlineProbes };
module.exports = parts;
export type Parts = typeof parts;
