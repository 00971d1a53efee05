import { Session } from "node:inspector";
import * as v8 from "node:v8";
import type { ProtocolMapping } from "devtools-protocol/types/protocol-mapping.js";
import type { Link, ScriptSource, Taken } from "./link.ts";

type Commands = ProtocolMapping.Commands;

/**
 * Turns the coverage of this very isolate on. Call it before the code that is to be measured is loaded:
 * functions that were compiled before have no block counters.
 */
export function startSelfCoverage(): Session {
  // Optimised code does not count; see `agent/preload.cts`.
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
 * The server's own isolate as a target. It cannot be held, for it is what serves: what it does for a
 * read is in the next one.
 */
export class SelfLink implements Link {
  readonly kind = "self";
  readonly hold = "none";
  readonly closed: Promise<string>;
  readonly #session: Session;
  #close!: (reason: string) => void;

  /** @param session Of {@linkcode startSelfCoverage}. */
  constructor(session: Session) {
    this.#session = session;
    this.closed = new Promise((resolve) => this.#close = resolve);
  }

  stop(): Promise<Taken> {
    const { result } = post(this.#session, "Profiler.takePreciseCoverage");
    return Promise.resolve({ coverage: Buffer.from(JSON.stringify(result)), held: false });
  }

  release(): void {}

  fetchScripts(scriptIds: readonly string[]): Promise<ScriptSource[]> {
    const wanted = new Set(scriptIds);
    const found: ScriptSource[] = [];
    const listen = (
      { params }: { params: { scriptId: string; url: string; isModule?: boolean } },
    ) => {
      const { scriptId, url, isModule = false } = params;
      if (wanted.has(scriptId)) found.push({ scriptId, url, isModule, source: "" });
    };
    this.#session.on("Debugger.scriptParsed", listen);
    try {
      post(this.#session, "Debugger.enable");
      const sources = found.map((script) => {
        const { scriptId } = script;
        const source = post(this.#session, "Debugger.getScriptSource", { scriptId }).scriptSource;
        return { ...script, source };
      });
      return Promise.resolve(sources);
    } finally {
      post(this.#session, "Debugger.disable");
      this.#session.off("Debugger.scriptParsed", listen);
    }
  }

  ignore(): void {}

  setArmed(): void {}

  [Symbol.asyncDispose](): Promise<void> {
    this.#session.disconnect();
    this.#close("detached");
    return Promise.resolve();
  }
}
