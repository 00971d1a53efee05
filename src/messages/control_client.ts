import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type CollectorName, FRAME, FrameReader, packFrame } from "./protocol.ts";
import type { LiveProgress } from "./live.ts";
import type { Counts, InstanceStatus } from "../kcov/mod.ts";

/** What commands ask a server, and what it answers. */
export interface ControlRequests {
  /** The targets, as `ps --json` prints them. */
  readonly targets: {
    readonly params: undefined;
    readonly result: TargetRow[];
  };
  /** The scripts without probes of targets whose scripts have some. */
  readonly unprobed: {
    readonly params: undefined;
    readonly result: UnprobedScript[];
  };
  /** What has executed, by target. */
  readonly covered: {
    readonly params: CoveredParams;
    readonly result: CoveredTarget[];
  };
  /** Where the server keeps its symbols. */
  readonly server: {
    readonly params: undefined;
    readonly result: ServerFacts;
  };
  /** What happens, in numbers. */
  readonly status: { readonly params: undefined; readonly result: Snapshot };
  /** Makes targets of what runs already; the result is those it has made. */
  readonly attach: {
    readonly params: AttachParams;
    readonly result: TargetRow[];
  };
  /** Lets a target go; the result is those that went. */
  readonly detach: {
    readonly params: DetachParams;
    readonly result: TargetRow[];
  };
}

/** What a server has to tell at one time. Counts only grow; those of two snapshots make a rate. */
export interface Snapshot {
  /** Seconds since the server has begun, on a monotonic clock. */
  readonly uptime: number;
  readonly server: ServerFacts;
  readonly targets: readonly TargetRow[];
  readonly instances: readonly InstanceStatus[];
  /** Of all instances there have been; missing where clients map what targets write. */
  readonly total?: Counts;
  /** Blocks that targets have executed since the server has begun, where that is recorded. */
  readonly coveredBlocks?: number;
}

/** A script that is not measured. */
export interface UnprobedScript {
  /** The target's name. */
  readonly target: string;
  readonly url: string;
  readonly reason: string;
}

/** Since when what has executed is told: since the server started, or since the last reset. */
export type Since = "start" | "reset";

/** What is asked for, and whether the next reset is now. */
export interface CoveredParams {
  readonly since: Since;
  readonly isReset: boolean;
}

/** What a target has executed, or several of one name one after the other. */
export interface CoveredTarget {
  readonly name: string;
  /** Each with its first block's number, and its blocks as `packBits` writes them. */
  readonly scripts: readonly {
    readonly base: number;
    readonly blocks: string;
  }[];
}

/** What a server tells of itself. */
export interface ServerFacts {
  readonly pid: number;
  /** The folder of its symbol table. */
  readonly state: string;
  readonly version: string;
  readonly collector: CollectorName;
  /** Whether clients read what probes write as they do. */
  readonly isDirect: boolean;
}

/** What is to be attached to, and how. */
export interface AttachParams {
  /** As `parseAddress` takes it. */
  readonly address: string;
  /** What the target is called; what it runs, unless given. */
  readonly name?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** The process behind the address, where the caller knows it. */
  readonly pid?: number;
  /** Of how many modules it waits for us before the first line: it is a Deno with `--inspect-brk`. */
  readonly starts?: number;
  /** ms for which giving a script that runs probes may stop the program. */
  readonly attachPause?: number;
}

/** Which target is to be let go. */
export interface DetachParams {
  /** Its name or number. */
  readonly target: string;
}

/** One target as `ps` shows it. */
export interface TargetRow {
  readonly id: number;
  readonly name: string;
  readonly pid: number;
  readonly runtime: string;
  /** Of a worker thread: its number for the kernel, and the target that has started it. */
  readonly tid?: number;
  readonly parent?: number;
  readonly link: string;
  readonly collector: string;
  readonly hold: string;
  readonly scripts: number;
  readonly blocks: number;
  readonly state: string;
  readonly note: string;
  /** How far the scripts have come that had run before it was attached to, where they get probes. */
  readonly live?: LiveProgress;
}

const MOST_BYTES = 256 * 1024 * 1024;
/** ms that a server is given to answer. */
const TIMEOUT = 10_000;
/** ms where the answer waits for a target. */
const LONG_TIMEOUT = 60_000;
/** The same where scripts that run are to lose their probes. */
const DETACH_TIMEOUT = 600_000;

/** ms between two attempts to connect to a server whose queue is full. */
const RETRY_INTERVAL = 20;

/** What follows the kind of a request. */
type ParamsOf<K extends keyof ControlRequests> = undefined extends ControlRequests[K]["params"] ? []
  : [ControlRequests[K]["params"]];

/**
 * Asks the server at a control socket.
 *
 * @throws when nobody listens, when the server refuses or does not answer in time; a refusal that says
 * by itself what cannot be done is passed on as it is.
 */
export async function askServer<K extends keyof ControlRequests>(
  socketPath: string,
  kind: K,
  ...[params]: ParamsOf<K>
): Promise<ControlRequests[K]["result"]> {
  const timeout = kind === "detach" ? DETACH_TIMEOUT : params ? LONG_TIMEOUT : TIMEOUT;
  const socket = await connectInTime(socketPath, timeout);
  try {
    const answer = await new Promise<{ result?: unknown; error?: string }>((resolve, reject) => {
      const frames = new FrameReader((_, body) => {
        resolve(JSON.parse(new TextDecoder().decode(body)));
      }, MOST_BYTES);
      socket.setTimeout(timeout, () => reject(new Error(`no answer within ${timeout} ms`)));
      socket.on("data", (chunk) => {
        try {
          frames.push(chunk);
        } catch (error) {
          reject(error);
        }
      });
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("it closed the connection")));
      socket.write(packFrame(FRAME.request, Buffer.from(JSON.stringify({ kind, params }))));
    });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result as ControlRequests[K]["result"];
  } catch (error) {
    const { message } = error as Error;
    if (/^Cannot (?:attach|detach)/.test(message)) throw error;
    throw new Error(`Cannot ask the server at ${socketPath}: ${message}`);
  } finally {
    socket.destroy();
  }
}

/** Connects, and waits as long as so many others do that there is no place in the queue. */
async function connectInTime(
  socketPath: string,
  timeout: number,
): Promise<Socket> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const socket = connect(socketPath);
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN" || performance.now() > deadline) {
        throw new Error(`Cannot ask the server at ${socketPath}: ${message}`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL));
  }
}
