import type { TargetRow } from "../messages/requests.ts";
import type { ProbedCounts } from "./trace/probed_scripts.ts";
import type { ScriptCounts } from "../scripts/engine.ts";
import type { Target } from "../targets/target.ts";
import { counted } from "../report/display_text.ts";

/** The row that `ps` shows for a target whose scripts have been counted. */
export function targetRow(
  target: Target,
  { counts, unseen }: {
    counts: ProbedCounts & Partial<ScriptCounts>;
    /** Who does not see it, and why. */
    unseen?: string | undefined;
  },
): TargetRow {
  const { measured, blocks, coarse = 0, unnamed = 0, unparsed, unkept } = counts;
  const notes = [
    target.note,
    target.info.remark,
    unseen,
    coarse > 0 && `${counted(coarse, "function")} without block counters`,
    unnamed > 0 && `${counted(unnamed, "script")} without a URL`,
    unkept > 0 && `${counted(unkept, "script")} without PCs: ${counts.unkeptReason}`,
    counts.isFull && "more scripts made than get probes",
    unparsed > 0 && `${counted(unparsed, "script")} that cannot be parsed`,
  ];
  return {
    id: target.id,
    name: target.info.name,
    pid: target.info.pid,
    runtime: target.info.runtime,
    ...(target.info.tid && { tid: target.info.tid }),
    ...(target.info.parent && { parent: target.info.parent.id }),
    link: target.link.kind,
    collector: target.info.collector ?? "v8",
    hold: target.hold,
    scripts: measured,
    blocks,
    state: target.state,
    note: notes.filter(Boolean).join(", "),
  };
}
