/**
 * `kcovfs/register`: what `node --import` or `--require` loads for a process to be a target that
 * `kcovfs run` has not started. Its server is that of `KCOVFS_MOUNT`, or the only one there is.
 */
const { spawnSync } = require("node:child_process") as typeof import("node:child_process");
const fs = require("node:fs") as typeof import("node:fs");
const { isMainThread } = require("node:worker_threads") as typeof import("node:worker_threads");
const { isOurs, OUR_COMMAND } = require("./our_command.cjs") as {
  isOurs: () => boolean;
  readonly OUR_COMMAND: string;
};

const { isPresent } = require("./main_agent.cjs") as { isPresent: () => boolean };
const { startAgent } = require("./start_agent.cjs") as {
  startAgent: (socketPath: string, options: { isLoaded: boolean }) => void;
};

/** ms that the server is given to say what its targets need. */
const TIMEOUT = 15_000;

if (!isMainThread) require("./preload.cjs");
else if (!isPresent() && !isOurs()) {
  if (!process.env["KCOVFS_SOCKET"]) setEnvironment();
  const socket = process.env["KCOVFS_SOCKET"];
  // Node has the threads of some programs do without `--import`.
  if (socket) startAgent(socket, { isLoaded: false });
}

/** As `kcovfs run` would have set it. */
function setEnvironment(): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [OUR_COMMAND, "env", "--json"], {
    encoding: "utf8",
    timeout: TIMEOUT,
  });
  if (status !== 0) {
    const reason = (stderr ?? "").trim() || `kcovfs: no server answers within ${TIMEOUT} ms`;
    fs.writeSync(2, `${reason}: running without coverage\n`);
    return;
  }
  for (const [name, value] of Object.entries<string | null>(JSON.parse(stdout))) {
    // What is called KCOVFS_NAME here is this process.
    if (value !== null) process.env[name] = value;
  }
}
