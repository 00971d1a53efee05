import type { TargetRow } from "../messages/requests.ts";

/** The targets that have not ended; no two have one name. */
export function livingTargets(
  { targets }: { readonly targets: readonly TargetRow[] },
): TargetRow[] {
  return targets.filter(({ state }) => state !== "ended");
}

/** The targets that `ps` shows: the living, then the ended if all are asked for. */
export function shownTargets(
  targets: readonly TargetRow[],
  { all = false }: { all?: boolean } = {},
): TargetRow[] {
  const living = livingTargets({ targets });
  return all ? [...living, ...targets.filter((target) => !living.includes(target))] : living;
}
