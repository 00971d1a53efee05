/** The thread that {@linkcode Prober} runs. */
import { placeTable } from "./place_table.ts";
import { serveJobs } from "../base/job_thread.ts";
import { mapComment } from "../probes/map_comment.ts";
import { prepare, type Prepared } from "../probes/prepare.ts";
import { PROBE_WORKER, type ProbeReply, type ProbeRequest } from "./prober.ts";

/** The source that was asked about last: mostly its code is asked for next. */
let last: { readonly source: string; readonly prepared: Prepared } | undefined;

function answer(request: ProbeRequest): ProbeReply {
  const { url, source, firstPc } = request;
  try {
    const prepared = last?.source === source ? last.prepared : prepare(source, {});
    last = { source, prepared };
    const { table } = prepared;
    if (firstPc === undefined) return { built: placeTable(request, table) };
    last = undefined;
    const { code, map } = prepared.emit({ firstPc, url });
    return { code: code + mapComment(map), blocks: table.blockStart.length };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

serveJobs(PROBE_WORKER, answer);
