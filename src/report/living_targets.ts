import type { TargetRow } from "../messages/requests.ts";

/** Those that have not ended; no two have one name. */
export function livingTargets(
  { targets }: { readonly targets: readonly TargetRow[] },
): TargetRow[] {
  return targets.filter(({ state }) => state !== "ended");
}

/** What `ps` shows: the living, and then the ended where all are asked for. */
export function shownTargets(
  targets: readonly TargetRow[],
  { all = false }: { all?: boolean } = {},
): TargetRow[] {
  const living = livingTargets({ targets });
  return all ? [...living, ...targets.filter((target) => !living.includes(target))] : living;
}
