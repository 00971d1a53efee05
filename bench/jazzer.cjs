"use strict";

/**
 * Jazzer.js in this process, as its command line has it (`init` in `dist/core.js` of `@jazzer.js/core`):
 * counters of blocks, and hooks at comparisons.
 *
 * Its native addon is left out, which needs a newer C library than many machines have, and with it what
 * comparisons of strings and numbers call there: all that is measured is JavaScript, in its favour.
 */

const NATIVE = [
  "registerCoverageMap",
  "registerModuleCounters",
  "registerNewCounters",
  "traceIntegerCompare",
  "tracePcIndir",
  "traceStringContainment",
  "traceUnequalStrings",
];

const addon = Object.fromEntries(NATIVE.map((name) => [name, () => {}]));
const file = require.resolve("@jazzer.js/fuzzer/dist/addon.js");
require.cache[file] = { id: file, filename: file, loaded: true, exports: { addon } };
globalThis.Fuzzer = require("@jazzer.js/fuzzer").fuzzer;

module.exports = require("@jazzer.js/instrumentor");
