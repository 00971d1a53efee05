import type { LiveProgress, TargetRow } from "../messages/requests.ts";
import type { ProbedCounts } from "./trace/probed_scripts.ts";
import type { ScriptCounts } from "../scripts/engine.ts";
import type { Target } from "../targets/target.ts";
import { counted } from "../report/display_text.ts";

function allOf(scripts: number): string {
  return scripts === 1 ? "its only script" : `all of its ${scripts} scripts`;
}

/** The row that `ps` shows for a target whose scripts have been counted. */
export function targetRow(
  target: Target,
  { counts, unseen, live }: {
    counts: ProbedCounts & Partial<ScriptCounts>;
    /** Who does not see it, and why. */
    unseen?: string | undefined;
    live?: LiveProgress | undefined;
  },
): TargetRow {
  const { measured, blocks, excluded = 0, coarse = 0, unnamed = 0, unparsed, unkept } = counts;
  const notes = [
    target.note,
    target.info.remark,
    unseen,
    measured === 0 && excluded > 0 && `the globs leave out ${allOf(excluded)}`,
    coarse > 0 && `${counted(coarse, "function")} without block counters`,
    unnamed > 0 && `${counted(unnamed, "script")} without a URL`,
    unkept > 0 && `${counted(unkept, "script")} without PCs: ${counts.unkeptReason}`,
    live && !live.isDone &&
    `${live.tried} of ${counted(live.scripts, "loaded script")} tried for probes`,
    live && live.refused > 0 && `${live.refused} left out by attach: see 'kcovfs ps -v'`,
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
    ...(live && { live }),
  };
}
