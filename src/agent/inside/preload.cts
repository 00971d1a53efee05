/**
 * `--require` loads this into each Node process and thread of a target, before any user code. If bringing in
 * the agent fails, the failure ends here: one line says why, and the program runs as without kcovfs.
 *
 * Any Node since 8.12 must be able to parse this file, and the file must be able to do its work alone: an
 * older Node cannot read the rest of the agent, and Node's permission model may allow only this file.
 */
const fs = require("fs") as typeof import("node:fs");

/** The oldest Node that the agent runs on: major and minor version. */
const OLDEST = [20, 19];
/** The environment variable of the last reason that this process, or one that started it, has told. */
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

// The program is to find only what it has loaded itself.
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
 * A process that starts from a heap snapshot (`--snapshot-blob`) aborts if a preloaded module loads streams,
 * as threads do (measured on Node 22 to 26). Besides, its scripts were compiled before.
 */
function refuseSnapshot(): void {
  const options = process.execArgv.concat(process.env["NODE_OPTIONS"] || "").join(" ");
  if (options.indexOf("--snapshot-blob") < 0) return;
  throw new Error("a process that starts from a snapshot cannot be measured");
}

/** Whether an option has loaded this file; otherwise `kcovfs/register` has. */
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

/** Tells a reason once in a family of processes: a program may start a hundred of its kind. */
function tell(reason: string): void {
  if (process.env[TOLD] === reason) return;
  process.env[TOLD] = reason;
  try {
    fs.writeSync(2, `kcovfs: ${reason}: running without coverage\n`);
  } catch (_error) {
    // Nobody reads it.
  }
}
