/** What an isolate of the target needs for its scripts to have probes. */
import type { MessagePort } from "node:worker_threads";

const { MessageChannel } = require("node:worker_threads") as typeof import("node:worker_threads");
const memory = require("./memory.cjs") as { readonly CONTROL: Readonly<Record<string, number>> };
const { makeProbes, WINDOW_SIZE, BLOCKS } = require("./probes.cjs") as {
  makeProbes: (control: Int32Array) => Probes;
  WINDOW_SIZE: number;
  BLOCKS: number;
};
const { askForProbes } = require("./ask_for_probes.cjs") as {
  askForProbes: (
    control: Int32Array,
    options: { port: MessagePort; main: Int32Array },
  ) => Probe;
};
const { probeLoadedScripts } = require("./loaded_scripts.cjs") as {
  probeLoadedScripts: (
    probe: Probe,
    options: { sendPort: (port: MessagePort) => void },
  ) => () => void;
};

const { defineProbeFunctions } = require("./probe_functions.cjs") as {
  defineProbeFunctions: (control: Int32Array, probes: Probes) => void;
};

interface Probes {
  readonly address: bigint;
  readonly blocks: bigint;
  readonly hit: (pc: number) => void;
  readonly compare: (pc: number, ...record: readonly number[]) => void;
}

type Probe = (script: {
  readonly url: string;
  readonly source: string;
}) => string | undefined;

/** For the agent's worker, and to begin with. */
interface Tracing {
  readonly window: { readonly address: bigint; readonly size: number };
  readonly blocks: { readonly address: bigint; readonly size: number };
  /** By which scripts with probes are asked for. */
  readonly port: MessagePort;
  /** The ids of scripts that are there for edits alone: see `live_edits.cts`. */
  readonly leftovers: Set<string>;
  /**
   * Scripts that are loaded from here on have probes.
   *
   * @returns a function that puts back what can be put back: what has probes keeps them.
   */
  readonly begin: (sendPort: (port: MessagePort) => void) => () => void;
}

/** Where what probes call is found again: it stays for good, and so does the memory that it reads. */
const KEPT = Symbol.for("kcovfs.probes");
interface Kept {
  readonly control: Int32Array;
  readonly probes: Probes;
  readonly leftovers: Set<string>;
}

/** An isolate's memory, emptied, where it had probes before. */
function keptControl(): Int32Array | undefined {
  const { control } = (globalThis as Record<symbol, unknown>)[KEPT] as Kept ?? {};
  if (!control) return undefined;
  const { generation, areas } = memory.CONTROL;
  // Probes remember the areas of a generation.
  for (let word = 0; word < areas; word++) if (word !== generation) control[word] = 0;
  return control;
}

/**
 * Makes an isolate ready.
 *
 * @param main The memory of the process's main thread.
 * @throws when the native library cannot be loaded.
 */
function startTracing(control: Int32Array, main: Int32Array): Tracing {
  const kept = (globalThis as Record<symbol, unknown>)[KEPT] as Kept | undefined;
  const probes = kept?.control === control ? kept.probes : makeProbes(control);
  const leftovers = kept?.leftovers ?? new Set<string>();
  const { port1, port2 } = new MessageChannel();
  const probe = askForProbes(control, { port: port1, main });
  return {
    window: { address: probes.address, size: WINDOW_SIZE },
    blocks: { address: probes.blocks, size: BLOCKS },
    port: port2,
    leftovers,
    begin(sendPort) {
      // They stay for good, and so are not there for what has no server.
      if (!kept) {
        defineProbeFunctions(control, probes);
        Object.defineProperty(globalThis, KEPT, { value: { control, probes, leftovers } });
      }
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

module.exports = { keptControl, startTracing };
