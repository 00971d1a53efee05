/** Brings the agent into a process before its first line, as its environment says. */
const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;
const { defaultName, MainAgent } = require(
  "./main_isolate.cjs",
) as import("./main_isolate.cts").Parts;

const { compareExchange, load } = Atomics;
const { ABSENT, CONTROL, READY, START_TIMEOUT, waitFor } = memory;
const STATE = CONTROL.state;

/**
 * Turns coverage on before any user code runs.
 *
 * @param options `isLoaded`: whether NODE_OPTIONS named `preload.cts` when the process began, so that its
 * threads load that, too.
 * @throws {Error} that says why there is no coverage; everything is then as it was before.
 */
function startAgent(socketPath: string, { isLoaded }: { isLoaded: boolean }): void {
  const agent = new MainAgent({
    socketPath,
    name: process.env["KCOVFS_NAME"] || defaultName(),
    parent: process.env["KCOVFS_PARENT"],
    include: process.env["KCOVFS_INCLUDE"],
    exclude: process.env["KCOVFS_EXCLUDE"],
    collector: process.env["KCOVFS_COLLECTOR"],
    isLoaded,
  });
  try {
    awaitServer(agent, socketPath);
    agent.join();
  } catch (error) {
    agent.leave();
    throw error;
  }
  // Processes that this one starts are named after it.
  process.env["KCOVFS_PARENT"] = memory.textIn(agent.control);
  delete process.env["KCOVFS_NAME"];
}

function awaitServer(
  { control, hasEnded }: { control: Int32Array; hasEnded: () => boolean },
  socketPath: string,
): void {
  const isSettled = () => load(control, STATE) !== 0 || hasEnded();
  waitFor(isSettled, { control, index: STATE, timeout: START_TIMEOUT });
  // From here on the worker leaves the start alone.
  const state = compareExchange(control, STATE, 0, ABSENT);
  if (state === READY) return;
  const reason = state === ABSENT ? memory.textIn(control) : "";
  if (reason) throw new Error(reason);
  if (hasEnded()) throw new Error("Cannot keep up the agent's thread: it has ended");
  throw new Error(`no server answers at ${socketPath}`);
}

const parts = { startAgent };
module.exports = parts;
export type Parts = typeof parts;
