import { Session } from "node:inspector";
import { createRequire } from "node:module";
import * as v8 from "node:v8";
import type { ProtocolMapping } from "devtools-protocol/types/protocol-mapping.js";
import { isDeno } from "../base/runtime.ts";
import type { Link, Taken } from "./link.ts";
import { Deferred } from "../base/deferred.ts";
import { UserError } from "../base/user_error.ts";

type Commands = ProtocolMapping.Commands;

/**
 * Turns on the coverage of this very isolate. Call it before the code that is to be measured is loaded:
 * functions that were compiled before have no block counters.
 *
 * @throws one line for the user if that cannot be done.
 */
export function startSelfCoverage(): Session {
  if (isDeno()) {
    throw new UserError(
      "Cannot make the server itself a target: a Deno takes no flags for V8; serve with Node",
    );
  }
  // Optimised code does not count; see `agent/inside/count_everything.cts`.
  v8.setFlagsFromString("--no-opt");
  v8.setFlagsFromString("--no-maglev");
  const session = new Session();
  session.connect();
  post(session, "Profiler.enable");
  post(session, "Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  return session;
}

/** A session of the same thread answers before `post` returns. */
function post<M extends keyof Commands>(
  session: Session,
  method: M,
  params?: Commands[M]["paramsType"][0],
): Commands[M]["returnType"] {
  let answer: { error: Error | null; result?: unknown } | undefined;
  session.post(method, params, (error: Error | null, result?: unknown) => {
    answer = { error, result };
  });
  if (!answer || answer.error) {
    throw new Error(`Cannot run ${method}: ${answer?.error?.message ?? "no answer"}`);
  }
  return answer.result as Commands[M]["returnType"];
}

/**
 * The server's own isolate as a target. It cannot be held, because it is the server: what it executes for a
 * read comes with the next read.
 */
export class SelfLink implements Link {
  readonly kind = "self";
  readonly hold = "none";
  readonly #closed = new Deferred<string>();
  readonly closed = this.#closed.promise;
  readonly #session: Session;
  readonly #read = loadScriptSources();

  /** @param session The session of {@linkcode startSelfCoverage}. */
  constructor(session: Session) {
    this.#session = session;
  }

  stop(): Promise<Taken> {
    const { result } = post(this.#session, "Profiler.takePreciseCoverage");
    return Promise.resolve({ coverage: Buffer.from(JSON.stringify(result)), held: false });
  }

  release(): void {}

  fetchSources(scriptIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return Promise.resolve(new Map(Object.entries(this.#read(scriptIds.map(Number)))));
  }

  ignore(): void {}

  [Symbol.asyncDispose](): Promise<void> {
    this.#session.disconnect();
    this.#closed.resolve("detached");
    return Promise.resolve();
  }
}

type ScriptSources = (ids: readonly number[]) => Record<string, string>;

/** The file is CommonJS, because targets load it before anything else. */
function loadScriptSources(): ScriptSources {
  const file = import.meta.url.endsWith(".ts") ? "script_source.cts" : "script_source.cjs";
  const module: unknown = createRequire(import.meta.url)(`../agent/inside/${file}`);
  return (module as { scriptSources: ScriptSources }).scriptSources;
}
