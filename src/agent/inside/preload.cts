/**
 * What `--require` loads into each Node process and thread of a target, before any user code. Whatever goes
 * wrong in bringing in the agent ends here: one line says why, and the program runs as without kcovfs.
 *
 * Any Node since 8.12 must be able to parse this file, and it must be able to do its work alone: an older
 * Node cannot read the rest of the agent, and Node's permission model may let it read this file only.
 */
const fs = require("fs") as typeof import("node:fs");

/** The oldest Node that the agent runs on: major and minor version. */
const OLDEST = [20, 19];
/** Names the reason that was told last by this process, or by one that has started it. */
const TOLD = "KCOVFS_TOLD";

const present = Object.keys(require.cache);
try {
  refuseOldNode();
  refuseSnapshot();
  const { enter } = require("./enter_isolate.cjs") as import("./enter_isolate.cts").Parts;
  enter({ isLoaded: isNamedIn(process.env["NODE_OPTIONS"] || "") });
} catch (error) {
  tell(reasonOf(error as NodeJS.ErrnoException));
}

// The program is to find nothing there that it has not loaded.
for (const file of Object.keys(require.cache)) {
  if (file === __filename || present.indexOf(file) < 0) delete require.cache[file];
}

function refuseOldNode(): void {
  const version = process.versions.node.split(".").map(Number);
  if (version[0] > OLDEST[0] || (version[0] === OLDEST[0] && version[1] >= OLDEST[1])) return;
  const oldest = OLDEST.join(".");
  throw new Error(`Node v${process.versions.node} is too old (${oldest} or newer is needed)`);
}

/**
 * A process that starts from a snapshot of a heap (`--snapshot-blob`) aborts when something is preloaded that
 * loads streams, as threads do (measured on Node 22 to 26); and its scripts were compiled before.
 */
function refuseSnapshot(): void {
  const options = process.execArgv.concat(process.env["NODE_OPTIONS"] || "").join(" ");
  if (options.indexOf("--snapshot-blob") < 0) return;
  throw new Error("a process that starts from a snapshot cannot be measured");
}

/** Whether an option there has loaded this file, rather than `kcovfs/register`. */
function isNamedIn(options: string): boolean {
  return options.replace(/\\(.)/g, "$1").indexOf(__filename) >= 0;
}

function reasonOf(error: NodeJS.ErrnoException & { permission?: string }): string {
  if (error && error.code === "ERR_ACCESS_DENIED") {
    return `Node's permission model denies kcovfs ${error.permission || "what it needs"}`;
  }
  const text = String((error && error.message) || error);
  return text.split("\n")[0].replace(/[^ -~]/g, "?");
}

/** Once in a family of processes, or a program that starts a hundred of its kind would say it as often. */
function tell(reason: string): void {
  if (process.env[TOLD] === reason) return;
  process.env[TOLD] = reason;
  try {
    fs.writeSync(2, `kcovfs: ${reason}: running without coverage\n`);
  } catch (_error) {
    // Nobody reads it.
  }
}
