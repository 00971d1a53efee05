import { ENVIRONMENT } from "../messages/protocol.ts";
import { askServer } from "../messages/control_client.ts";
import type { AttachParams } from "../messages/requests.ts";
import { CdpSession } from "../targets/cdp/session.ts";
import { type Endpoint, findEndpoint, type Inspectable } from "../targets/cdp/endpoint.ts";
import { checkJson, texts } from "../base/shape.ts";
import { listenersOf } from "../base/process_facts.ts";
import { connectWebSocket } from "../targets/cdp/web_socket.ts";
import { denoProcesses } from "./deno_processes.ts";

/** ms between two looks at a process that has nothing to attach to. */
const INTERVAL = 10;
/** The address at which the arguments of `denoArguments` have the inspector listen. */
const LOOPBACK = "127.0.0.1";
/** ms that an inspector has to answer. */
const TIMEOUT = 5000;
/** ms to which the interval grows for a Deno that may have been told to start already. */
const MOST_INTERVAL = 160;

/** The target's options, which `kcovfs run` has put into the environment. */
export interface TargetEnvironment {
  readonly socket: string | undefined;
  /** The target's name. */
  readonly name: string | undefined;
  /** The target's own globs. */
  readonly globs: Pick<AttachParams, "include" | "exclude">;
}

export interface GuardOptions extends TargetEnvironment {
  readonly socket: string;
  /** The number of modules before whose first line the Deno waits. */
  readonly starts: number;
  /** Whether one isolate comes after the other, as for `deno test`. */
  readonly isRepeated: boolean;
  /** Takes lines for the user. */
  readonly warn: (line: string) => void;
}

/**
 * Has the server attach to a Deno that waits for it. If the server cannot, the Deno runs without coverage.
 * Resolves when that is done, or the Deno has ended.
 */
export async function guardDeno(pid: number, options: GuardOptions): Promise<void> {
  const seen = new Set<string>();
  for (;;) {
    const deno = await findDeno(pid);
    if (!deno) return;
    for (const inspectable of deno.endpoint.inspectables) {
      if (seen.has(inspectable.id)) continue;
      seen.add(inspectable.id);
      await attach(inspectable, { ...options, pid: deno.pid });
      if (!options.isRepeated) return;
    }
    await sleep(INTERVAL);
  }
}

/** A Deno whose inspector answers. */
interface FoundDeno {
  readonly pid: number;
  readonly endpoint: Endpoint;
}

/**
 * Waits for the inspector of a process or of one of its children; undefined when the process has ended
 * before.
 */
async function findDeno(started: number): Promise<FoundDeno | undefined> {
  for (;; await sleep(INTERVAL)) {
    const pids = await denoProcesses(started);
    if (!pids) return undefined;
    for (const pid of pids) {
      for (const { address, port } of await listenersOf(pid)) {
        if (address !== LOOPBACK) continue;
        const endpoint = await findEndpoint([LOOPBACK], port, { timeout: TIMEOUT })
          .catch(() => undefined);
        if (endpoint?.kind === "deno" && endpoint.inspectables.length > 0) return { pid, endpoint };
      }
    }
  }
}

async function attach(
  { webSocketUrl }: Inspectable,
  { socket, name, globs, pid, starts, warn }: GuardOptions & { pid: number },
): Promise<void> {
  try {
    const rest = { ...(name && { name }), ...globs, pid, starts };
    await askServer(socket, "attach", { address: webSocketUrl, ...rest });
  } catch (error) {
    warn(`${(error as Error).message}: running without coverage`);
    await letStart(webSocketUrl, starts).catch(() => {});
  }
}

/**
 * Lets a Deno run that waits for a debugger before the first line of so many modules. It pauses at each, which
 * shows that it has started. At its end it waits until this session is closed.
 */
async function letStart(url: string, modules: number): Promise<void> {
  const session = new CdpSession(await connectWebSocket(url, { timeout: TIMEOUT }));
  let left = modules;
  const end = () => session.close("not needed");
  session.on("Debugger.paused", () => {
    session.send("Debugger.resume").catch(() => {}).then(() => --left === 0 && end());
  });
  session.on("Runtime.executionContextDestroyed", end);
  session.on("NodeRuntime.waitingForDisconnect", end);
  session.closed.then(() => left = 0);
  await Promise.all([
    session.send("Debugger.enable"),
    session.send("Runtime.enable"),
    session.send("NodeRuntime.enable"),
    session.send("NodeRuntime.notifyWhenWaitingForDisconnect", { enabled: true }),
  ]);
  for (let interval = INTERVAL; left > 0; interval = Math.min(2 * interval, MOST_INTERVAL)) {
    await session.send("Runtime.runIfWaitingForDebugger");
    await sleep(interval);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Reads the environment. Globs that are no JSON list of texts are left out. */
export function fromEnvironment(): TargetEnvironment {
  const globs = (["include", "exclude"] as const).flatMap((key) => {
    try {
      return [[key, checkJson(texts, process.env[ENVIRONMENT[key]] ?? "")]];
    } catch {
      return [];
    }
  });
  return {
    socket: process.env[ENVIRONMENT.socket],
    name: process.env[ENVIRONMENT.name],
    globs: Object.fromEntries(globs),
  };
}
