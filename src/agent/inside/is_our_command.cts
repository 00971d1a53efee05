/** kcovfs's own command line: it is no target, in whatever environment it is called. */
const fs = require("node:fs") as typeof import("node:fs");
const path = require("node:path") as typeof import("node:path");

const OUR_COMMAND = path.join(__dirname, "../../../../bin/kcovfs");

/** Whether this process is kcovfs's command: `kcovfs ps` in the environment of a fuzzer, for example. */
function isOurs(): boolean {
  try {
    return fs.realpathSync(process.argv[1] ?? "") === OUR_COMMAND;
  } catch {
    return false;
  }
}

const parts = { isOurs, OUR_COMMAND };
module.exports = parts;
export type Parts = typeof parts;
