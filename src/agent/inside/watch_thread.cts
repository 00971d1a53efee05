/** Whether a thread of this process lives, for callers that cannot wait for the event loop. */
const fs = require("node:fs") as typeof import("node:fs");

const THREADS = "/proc/self/task";
/** ms between two looks. */
const INTERVAL = 20;
const { now } = Date;

/**
 * Starts a thread.
 *
 * @returns the value of `start`, and whether the thread has ended; if that cannot be seen, it has not.
 */
function watchThread<T>(start: () => T): { started: T; hasEnded: () => boolean } {
  const before = listThreads();
  const started = start();
  const added = listThreads()?.filter((tid) => !before?.includes(tid));
  if (!before || !added || added.length > 1) return { started, hasEnded: () => false };
  let next = 0;
  let isEnded = added.length === 0;
  const hasEnded = () => {
    if (isEnded || now() < next) return isEnded;
    next = now() + INTERVAL;
    return isEnded = listThreads()?.includes(added[0]) === false;
  };
  return { started, hasEnded };
}

function listThreads(): string[] | undefined {
  try {
    return fs.readdirSync(THREADS);
  } catch {
    return undefined;
  }
}

const parts = { watchThread };
module.exports = parts;
export type Parts = typeof parts;
