import type { ProcessReader } from "../../base/process_reader.ts";
import type { CollectorName } from "../../messages/protocol.ts";
import type { Endpoint } from "../cdp/endpoint.ts";
import type { Link } from "../link.ts";
import type { Target, TargetInfo } from "../target.ts";
import type { Reporter } from "../../base/reporter.ts";

/** The options for the targets of an attachment. */
export interface ConnectOptions {
  /** The user's name for the target. */
  readonly name?: string;
  /** Globs of scripts; empty for those of the server. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** The process behind the endpoint, if it is on this machine and may be stopped. */
  readonly pid?: number;
  /** Whether the inspector was opened for this, and must be closed when the target is let go. */
  readonly isOpened?: boolean;
  /** The number of modules at whose first lines it waits for us: it is a Deno with `--inspect-brk`. */
  readonly starts?: number;
  /** The most ms that putting probes into a running script may stop the program. */
  readonly attachPause?: number;
  /** The collector for the target; without it, the server's way. */
  readonly collector?: CollectorName;
  /** The path of the one WebSocket to connect to, if the user gave a URL. */
  readonly path?: string;
}

/** The user's globs, in the form that a target has. */
export function globsOf(
  { include, exclude }: ConnectOptions,
): Pick<TargetInfo, "include" | "exclude"> {
  return { ...(include.length > 0 && { include }), ...(exclude.length > 0 && { exclude }) };
}

/** Takes a connector's targets in: the server does. */
export interface TargetHost {
  /**
   * Adds a target whose coverage is on, as soon as no other target is held. Await the promise before the
   * target may run.
   */
  readonly add: (link: Link, info: TargetInfo) => Promise<Target>;
  /** The collector that agents start with. */
  readonly collector: CollectorName;
  /** Whether the server has probes to give. */
  readonly hasProbes: boolean;
  /** @throws if a program without the agent, and so without probes, cannot be a target. */
  readonly checkWithoutAgent: () => Promise<void>;
  /** Takes a target's last coverage; resolves when the target may exit. */
  readonly farewell: (link: Link, coverage: Uint8Array) => Promise<void>;
  /** ms for a target to answer. */
  readonly collectTimeout: number;
  /** Reads processes. */
  readonly processes: ProcessReader;
  /** Takes messages for the user, a line each. */
  readonly reporter: Reporter;
}

/**
 * Makes targets of what an endpoint has: of what is there when the promise resolves, and later, by
 * `host.add`, of what comes then. Rejects if there are none, with a reason that can follow
 * `Cannot attach to ADDRESS: `.
 */
export type Connector = (
  endpoint: Endpoint,
  host: TargetHost,
  options: ConnectOptions,
) => Promise<Target[]>;

/** The kinds of connectors; the agent's is part of the server. */
export interface Connectors {
  /** Deno, and Node processes that cannot have the agent. */
  readonly inspector?: Connector;
  readonly chromium?: Connector;
}
