/** Asks the agent's worker for scripts with probes, and waits: a script is compiled when it is loaded. */
import type { MessagePort } from "node:worker_threads";

const { receiveMessageOnPort } = require(
  "node:worker_threads",
) as typeof import("node:worker_threads");
const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;

/** A script that is about to be compiled: see `NewSource` in `messages/protocol.ts`. */
interface Script {
  readonly url: string;
  readonly source: string;
  readonly maker?: string;
  readonly keepsValue?: boolean;
  readonly wantsMap?: boolean;
}

/** The server's answer: the text to compile instead, and where it differs. */
interface Probed {
  /** Absent where the script stays as it is. */
  readonly code?: string;
  /** Whether the server gives no more scripts that the program makes probes. */
  readonly isFull?: boolean;
  readonly insertions?: readonly number[];
  readonly hash?: string;
  readonly firstPc?: number;
  readonly blocks?: number;
}

const { load } = Atomics;
/** ms; the table of a script of some MB takes seconds. */
const TIMEOUT = 120_000;

/**
 * Makes the function that asks. A script that cannot have probes goes without, also where no server is.
 *
 * @param main The main thread's memory, which says whether there is a server.
 */
function askForProbes(
  control: Int32Array,
  { port, main }: { port: MessagePort; main: Int32Array },
): (script: Script) => Probed | undefined {
  const { CONTROL, READY, waitFor } = memory;
  const post = port.postMessage.bind(port);
  const isServed = () => load(main, CONTROL.state) === READY;
  let id = 0;
  return (script) => {
    if (!isServed()) return undefined;
    id++;
    post({ id, script });
    let probed: Probed | undefined;
    const isOver = () => {
      const answer = receiveMessageOnPort(port)?.message as
        | { id: number } & Probed
        | undefined;
      if (answer?.id === id) {
        probed = answer;
        return true;
      }
      return !isServed();
    };
    waitFor(isOver, { control, index: CONTROL.answers, timeout: TIMEOUT });
    return probed;
  };
}

const parts = { askForProbes };
module.exports = parts;
export type Parts = typeof parts;
