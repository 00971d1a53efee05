/** The thread that {@linkcode Prober} runs. */
import { createHash } from "node:crypto";
import { placeTable } from "./place_table.ts";
import { serveJobs } from "../base/job_thread.ts";
import { prepare, type Prepared, type PrepareOptions } from "../probes/prepare.ts";
import { PROBE_WORKER, type ProbeReply, type ProbeRequest } from "./prober.ts";

/** The source that was asked about last: mostly its code is asked for next. */
let last:
  | { readonly source: string; readonly keepsValue: boolean; readonly prepared: Prepared }
  | undefined;

function answer(request: ProbeRequest): ProbeReply {
  const { url, source, firstPc, keepsValue = false } = request;
  try {
    const isLast = last?.source === source && last.keepsValue === keepsValue;
    const prepared = isLast ? last!.prepared : prepare(source, optionsFor(keepsValue));
    last = { source, keepsValue, prepared };
    const { table } = prepared;
    if (firstPc === undefined) return { built: placeTable(request, table) };
    last = undefined;
    const emitted = prepared.emit({ firstPc, url });
    return { ...emitted, hash: hashOf(emitted.code), blocks: table.blockStart.length };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

/** What has a value is no module. */
function optionsFor(keepsValue: boolean): PrepareOptions {
  return keepsValue ? { keepsValue, isModule: false } : {};
}

/** V8 takes a text for one that ends at a zero (`Script::GetScriptHash` in its `objects/script.cc`). */
function hashOf(code: string): string {
  return createHash("sha256").update(code.split("\0", 1)[0]).digest("hex");
}

serveJobs(PROBE_WORKER, answer);
