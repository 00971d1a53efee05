"use strict";

/**
 * Jazzer.js in this process, as its command line sets it up (`init` in `dist/core.js` of `@jazzer.js/core`):
 * counters of blocks, and hooks at comparisons.
 *
 * Its native addon is left out, since it needs a newer C library than many machines have, and with it the
 * native part of comparisons of strings and numbers. So only JavaScript is measured, in its favour.
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
