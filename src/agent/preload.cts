/**
 * What `--require` loads into a target before any user code: it waits until coverage is on. In the
 * target's worker threads it hands over to `thread.cts`.
 */
const { isInternalThread, isMainThread } = require("node:worker_threads") as {
  readonly isInternalThread?: boolean;
  readonly isMainThread: boolean;
};
const { isOurs } = require("./our_command.cjs") as { isOurs: () => boolean };
const { startAgent } = require("./start_agent.cjs") as {
  startAgent: (socketPath: string, options: { isLoaded: boolean }) => void;
};

const socket = process.env["KCOVFS_SOCKET"];
if (isInternalThread) keepHooksOut();
else if (!isMainThread) (require("./thread.cjs") as { join: () => void }).join();
else if (socket && !isOurs()) startAgent(socket, { isLoaded: true });

/** In a thread of Node's own. */
function keepHooksOut(): void {
  if (process.env["KCOVFS_COLLECTOR"] !== "trace") return;
  (require("./whole_hooks.cjs") as { keepHooksOut: () => void }).keepHooksOut();
}
