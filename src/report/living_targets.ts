import type { Snapshot, TargetRow } from "../messages/control_client.ts";

/** Those that have not ended; no two have one name. */
export function livingTargets({ targets }: Pick<Snapshot, "targets">): TargetRow[] {
  return targets.filter(({ state }) => state !== "ended");
}
