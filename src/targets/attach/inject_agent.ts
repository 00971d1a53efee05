import { readlinkSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { check, index, list, record } from "../../base/shape.ts";
import type { CdpSession } from "../cdp/session.ts";

const ATTACH = fileURLToPath(new URL("../../agent/inside/start_by_inspector.cjs", import.meta.url));
/** ms for a target to answer; it does so between two turns of its event loop. */
const ANSWER_TIMEOUT = 10_000;
/** ms for the agent to turn coverage on. */
const ATTACH_TIMEOUT = 30_000;

/** The order to an agent that is brought into a process: see `agent/inside/start_by_inspector.cts`. */
export interface Injection {
  readonly socketPath: string;
  readonly name: string;
  readonly include: string;
  readonly exclude: string;
  readonly attachment: string;
}

/** The identity of a target, by its own account. */
export interface Inside {
  /** 0 if it does not know. */
  readonly pid: number;
  /** Whether it is on this machine and sees our files and our processes: whether it can have the agent. */
  readonly isLocal: boolean;
  /**
   * Whether it may be waiting for a debugger before its first line (`--inspect-brk`, `--inspect-wait`). The
   * agent comes by the event loop, which has not begun then.
   */
  readonly isWaiting: boolean;
}

/**
 * The expression by which a target tells its identity; `null` for facts that it cannot tell. Namespaces and
 * files have the same numbers exactly if they are the same.
 */
const WHO = `(() => {
  const { process } = globalThis;
  const get = (name) => process.getBuiltinModule?.(name) ?? require(name);
  const fs = get("node:fs");
  const tell = (ask) => { try { return ask(); } catch { return null; } };
  const file = (path) => tell(() => { const { dev, ino } = fs.statSync(path); return dev + ":" + ino; });
  return {
    pid: process.pid,
    // It waits in the middle of Node's own start, with \`--inspect-brk\` once more after it.
    isWaiting: !process.execArgv || get("node:perf_hooks").performance.nodeTiming.loopStart === -1 &&
      /--inspect-(?:brk|wait)/.test([...process.execArgv, process.env.NODE_OPTIONS].join(" ")),
    namespace: tell(() => fs.readlinkSync("/proc/self/ns/pid")),
    files: FILES.map(file),
  };
})()`;

/** The value of {@linkcode WHO}. */
const TOLD = record({
  // A Node that waits before its first line may not know its process number yet.
  ...{ pid: v.exactOptional(index), isWaiting: v.boolean() },
  ...{ namespace: v.nullable(v.string()), files: list(v.nullable(v.string())) },
});

/** Asks for the identity of what a session is connected to. */
export async function askInside(session: CdpSession, socketPath: string): Promise<Inside> {
  const files = [socketPath, ATTACH];
  const expression = WHO.replace("FILES", JSON.stringify(files));
  const options = { timeout: ANSWER_TIMEOUT, awaitPromise: false };
  const value = check(TOLD, await evaluate(session, expression, options));
  const own = files.map((file) => {
    const { dev, ino } = statSync(file);
    return `${dev}:${ino}`;
  });
  const isLocal = value.namespace === readlinkSync("/proc/self/ns/pid") &&
    own.every((file, i) => file === value.files[i]);
  return { pid: value.pid ?? 0, isLocal, isWaiting: value.isWaiting };
}

/**
 * Brings the agent into a Node process; when this resolves, the agent has come to the control socket.
 *
 * @throws {Error} with a reason if the target cannot have the agent.
 */
export async function injectAgent(session: CdpSession, injection: Injection): Promise<void> {
  const expression =
    `(globalThis.process.getBuiltinModule?.("node:module") ?? require("node:module"))
    .createRequire(${JSON.stringify(ATTACH)})(${JSON.stringify(ATTACH)})
    .attach(${JSON.stringify(injection)})`;
  const options = { timeout: ATTACH_TIMEOUT, awaitPromise: true };
  const reason = check(v.string(), await evaluate(session, expression, options));
  if (reason !== "") throw new Error(withHint(reason));
}

function withHint(reason: string): string {
  if (/EACCES/.test(reason)) {
    return `it may not open the server's control socket (${reason}); see 'kcovfs mount --uid', '--gid' and '--mode'`;
  }
  return reason;
}

async function evaluate(
  session: CdpSession,
  expression: string,
  { timeout, awaitPromise }: { timeout: number; awaitPromise: boolean },
): Promise<unknown> {
  const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
    expression: `${expression}\n//# sourceURL=node:kcovfs`,
    // It has `require`; in older versions of Node there is no other way to it.
    includeCommandLineAPI: true,
    awaitPromise,
    returnByValue: true,
    silent: true,
  }, { timeout });
  if (!exceptionDetails) return result.value;
  const [line] = (exceptionDetails.exception?.description ?? exceptionDetails.text).split("\n");
  if (/ERR_ACCESS_DENIED|Access to this API has been restricted/.test(line)) {
    throw new Error("Node's permission model keeps the agent out; start it by 'kcovfs run'");
  }
  throw new Error(line);
}
