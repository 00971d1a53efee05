import type { ProcessReader } from "../../base/process_reader.ts";
import type { CollectorName } from "../../messages/protocol.ts";
import type { Endpoint } from "../cdp/endpoint.ts";
import type { Link } from "../link.ts";
import type { Target, TargetInfo } from "../target.ts";
import type { Reporter } from "../../base/reporter.ts";

/** How what is attached to becomes targets. */
export interface ConnectOptions {
  /** What the user calls it. */
  readonly name?: string;
  /** Globs of scripts; empty where the server's are meant. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** The process behind the endpoint, where it is on this machine and may be stopped. */
  readonly pid?: number;
  /** Whether the inspector was opened for this, and is to be closed when the target is let go. */
  readonly isOpened?: boolean;
  /** Of how many modules it waits for us before the first line: it is a Deno with `--inspect-brk`. */
  readonly starts?: number;
  /** ms for which giving a script that runs probes may stop the program. */
  readonly attachPause?: number;
  /** How what it executes is learned; the server's way, unless given. */
  readonly collector?: CollectorName;
  /** The path of the one WebSocket that is meant, where the user gave a URL. */
  readonly path?: string;
}

/** The globs that the user gave, as a target has them. */
export function globsOf(
  { include, exclude }: ConnectOptions,
): Pick<TargetInfo, "include" | "exclude"> {
  return { ...(include.length > 0 && { include }), ...(exclude.length > 0 && { exclude }) };
}

/** Who takes a connector's targets in: the server. */
export interface TargetHost {
  /**
   * Adds a target whose coverage is on, as soon as no other target is held; the promise is to be awaited
   * before the target may run.
   */
  readonly add: (link: Link, info: TargetInfo) => Promise<Target>;
  /** How agents are to learn what their targets execute. */
  readonly collector: CollectorName;
  /** @throws when what cannot have the agent, and so no probes, cannot be a target. */
  readonly checkWithoutAgent: () => Promise<void>;
  /** Takes a target's last coverage; resolves when the target may exit. */
  readonly farewell: (link: Link, coverage: Uint8Array) => Promise<void>;
  /** ms that a target is given to answer. */
  readonly collectTimeout: number;
  /** Looks at processes. */
  readonly processes: ProcessReader;
  /** What the user should know, a line each. */
  readonly reporter: Reporter;
}

/**
 * Makes targets of what an endpoint has: those that are there when the promise resolves, and by
 * `host.add` those that come later. Rejects when there are none, with a reason that can follow
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
