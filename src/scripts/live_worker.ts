/** The thread that {@linkcode LiveProber} runs. */
import { serveJobs } from "../base/job_thread.ts";
import type { BlockTable } from "../blocks/block_table.ts";
import { lineAt, lineStarts } from "../blocks/line_positions.ts";
import { liveScript } from "../probes/live_script.ts";
import { prepare } from "../probes/prepare.ts";
import { LIVE_WORKER, type LiveReply, type LiveRequest } from "./live_prober.ts";

/** Characters of how a function begins. */
const MOST_SHOWN = 40;

function answer({ source, firstPc }: LiveRequest): LiveReply {
  try {
    const prepared = prepare(source, {});
    const script = liveScript(prepared, { firstPc });
    return { script, labels: labelsOf(source, prepared.table) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

/** How functions are called to who reads: where they begin, and what is there. */
function labelsOf(source: string, { functionStart }: BlockTable): string[] {
  const lines = lineStarts(source);
  return Array.from(functionStart, (start) => {
    const line = lineAt(lines, start);
    const [text] = source.slice(start, start + MOST_SHOWN).split(/[\n\r{]/, 1);
    return `${line + 1}:${start - lines[line] + 1} ${text.trim()}`;
  });
}

serveJobs(LIVE_WORKER, answer);
