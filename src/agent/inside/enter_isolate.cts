/** The agent's way into an isolate: it depends on the kind of isolate. */
const { isInternalThread, isMainThread } = require("node:worker_threads") as {
  readonly isInternalThread?: boolean;
  readonly isMainThread: boolean;
};
const { isOurs, OUR_COMMAND } = require(
  "./is_our_command.cjs",
) as import("./is_our_command.cts").Parts;

/** ms for the server to say what its targets need. */
const TIMEOUT = 15_000;

/**
 * Turns coverage on before any user code runs, if there is to be coverage.
 *
 * @param options `isLoaded`: whether NODE_OPTIONS has loaded the agent. Otherwise `kcovfs/register` has, and
 * the server is that of `KCOVFS_MOUNT`, or the only one there is.
 * @throws {Error} that says why there is no coverage; everything is then as it was before.
 */
function enter({ isLoaded }: { isLoaded: boolean }): void {
  // A thread of Node's own.
  if (isInternalThread) return;
  if (!isMainThread) {
    return (require("./thread_isolate.cjs") as import("./thread_isolate.cts").Parts).join();
  }
  if (isOurs() || (isLoaded && !process.env["KCOVFS_SOCKET"])) return;
  if ((require("./is_launcher.cjs") as import("./is_launcher.cts").Parts).isLauncher()) return;
  const { isPresent } = require("./main_isolate.cjs") as import("./main_isolate.cts").Parts;
  if (isPresent()) return;
  if (!process.env["KCOVFS_SOCKET"]) setEnvironment();
  const { startAgent } = require(
    "./start_by_environment.cjs",
  ) as import("./start_by_environment.cts").Parts;
  startAgent(process.env["KCOVFS_SOCKET"]!, { isLoaded });
}

/** Sets the environment as `kcovfs run` would have. */
function setEnvironment(): void {
  const { spawnSync } = require("node:child_process") as typeof import("node:child_process");
  const { error, status, stdout, stderr } = spawnSync(
    process.execPath,
    [OUR_COMMAND, "env", "--json"],
    { encoding: "utf8", timeout: TIMEOUT },
  );
  if (status !== 0) {
    const reason = (stderr ?? "").trim().replace(/^kcovfs: /, "");
    throw new Error(reason || `no server answers: ${error?.message ?? `status ${status}`}`);
  }
  for (const [name, value] of Object.entries<string | null>(JSON.parse(stdout))) {
    // A null would unset `KCOVFS_NAME`, which names this process here.
    if (value !== null) process.env[name] = value;
  }
}

const parts = { enter };
module.exports = parts;
export type Parts = typeof parts;
