/** What an isolate of the target needs for its scripts to have probes. */
import type { MessagePort } from "node:worker_threads";

const { MessageChannel } = require("node:worker_threads") as typeof import("node:worker_threads");
const { makeProbes, WINDOW_SIZE, BLOCKS } = require("./probes.cjs") as import("./probes.cts").Parts;
const { askForProbes } = require("./ask_for_probes.cjs") as import("./ask_for_probes.cts").Parts;
const { probeLoadedScripts } = require(
  "./loaded_scripts.cjs",
) as import("./loaded_scripts.cts").Parts;

const { defineProbeFunctions } = require(
  "./probe_functions.cjs",
) as import("./probe_functions.cts").Parts;

/** For the agent's worker, and to begin with. */
interface Tracing {
  readonly window: { readonly address: bigint; readonly size: number };
  readonly blocks: { readonly address: bigint; readonly size: number };
  /** By which scripts with probes are asked for. */
  readonly port: MessagePort;
  /**
   * Scripts that are loaded from here on have probes.
   *
   * @returns a function that puts back what can be put back: what has probes keeps them.
   */
  readonly begin: (sendPort: (port: MessagePort) => void) => () => void;
}

/**
 * Makes an isolate ready.
 *
 * @param main The memory of the process's main thread.
 * @throws when the native library cannot be loaded.
 */
function startTracing(control: Int32Array, main: Int32Array): Tracing {
  const probes = makeProbes(control);
  const { port1, port2 } = new MessageChannel();
  const probe = askForProbes(control, { port: port1, main });
  return {
    window: { address: probes.address, size: WINDOW_SIZE },
    blocks: { address: probes.blocks, size: BLOCKS },
    port: port2,
    begin(sendPort) {
      // They stay for good, and so are not there for what has no server.
      defineProbeFunctions(control, probes);
      const { sourceMapsEnabled, setSourceMapsEnabled } = process as Partial<NodeJS.Process>;
      // Stack traces are to show positions in the scripts as they were. Deno's do so anyhow.
      setSourceMapsEnabled?.(true);
      const restore = probeLoadedScripts(probe, { sendPort });
      return () => {
        restore();
        if (!sourceMapsEnabled) setSourceMapsEnabled?.(false);
      };
    },
  };
}

const parts = { startTracing };
module.exports = parts;
export type Parts = typeof parts;
