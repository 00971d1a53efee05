import { KCOV_WORDS_PER_CMP, WORD_SIZE } from "./abi.ts";
import type { Measured } from "./area_keeper.ts";
import type { Client } from "./callers.ts";
import type { Instance, State } from "./instance.ts";
import type { Counts } from "./meter.ts";
import type { Mode } from "./source.ts";
import type { NodeId } from "../fuse/mod.ts";
import type { TargetId } from "./ids.ts";
import type { ThreadId } from "../base/thread_id.ts";

/** An instance that is open, or still enabled, as commands show it. */
export interface InstanceStatus {
  /** Its node id. */
  readonly id: NodeId;
  /** The owner's process, or without an owner the process of the thread that opened it, if it can be seen. */
  readonly client?: Client;
  readonly state: State["kind"];
  /** The thread that has it enabled, and what it records. */
  readonly owner?: ThreadId;
  readonly mode?: Mode;
  /** The numbers of the targets that it traces, or would trace. */
  readonly scope: "all" | readonly TargetId[];
  /** Words of its area, `area[0]` included. */
  readonly words?: number;
  /** `area[0]` as it was last set or seen; with passthrough, its present value. */
  readonly count?: number;
  /** Since it was opened; absent with passthrough, because nobody sees what happens in the area. */
  readonly counts?: Counts;
}

export function instanceStatus(
  instance: Instance,
  { measured, client }: { measured: Measured; client: Client | undefined },
): InstanceStatus {
  const { id, state, scope, owner } = instance;
  const { count, counts } = measured;
  return {
    id,
    state: state.kind,
    ...(client && { client }),
    ...(owner && { owner: owner.tid }),
    ...(state.kind === "enabled" && { mode: state.mode }),
    scope: scope === "all" ? scope : [...scope],
    ...(instance.area && { words: instance.area.size / WORD_SIZE }),
    ...(count !== undefined && { count }),
    ...(counts && { counts: { ...counts } }),
  };
}

/** Whether an area has no room for another record. */
export function isFull({ words, count, mode }: { words: number; count: number; mode: Mode }) {
  return count >= Math.floor((words - 1) / (mode === "cmp" ? KCOV_WORDS_PER_CMP : 1));
}
