import { JobThread } from "../base/job_thread.ts";
import type { LiveScript } from "../live/live_plan.ts";
import { STACK_SIZE } from "./pipeline.ts";

/** A script that runs, and whose PCs are known. */
export interface LiveRequest {
  readonly source: string;
  /** Lower half of the PC of its first block. */
  readonly firstPc: number;
}

/** The probes of a script that runs, and labels by which readers know its functions. */
export interface LiveProbes {
  readonly script: LiveScript;
  readonly labels: readonly string[];
}

export type LiveReply = LiveProbes | { readonly error: string };

/** Tells the worker's module that it was started as such. */
export const LIVE_WORKER = "kcovfs:live";

/** Finds the probes of scripts that run already, on a thread of its own. */
export class LiveProber implements AsyncDisposable {
  readonly #thread = new JobThread<LiveRequest, LiveReply>({
    module: new URL(`./live_worker${extension()}`, import.meta.url),
    name: LIVE_WORKER,
    job: "find the probes of a script",
    stackSize: STACK_SIZE,
  });

  /** @throws {Error} that says why it can have none while it runs. */
  async probe(request: LiveRequest): Promise<LiveProbes> {
    const reply = await this.#thread.run(request);
    if ("error" in reply) throw new Error(reply.error);
    return reply;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#thread[Symbol.asyncDispose]();
  }
}

/** Sources run as they are, too. */
function extension(): string {
  return import.meta.url.endsWith(".ts") ? ".ts" : ".js";
}
