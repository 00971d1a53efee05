import type { Named } from "../base/named.ts";

/** The number of a target; it belongs to the target's name. */
export type TargetId = Named<"TargetId">;
/** Targets that are stopped and released together: mostly, the number of the first of them. */
export type UnitId = Named<"UnitId">;

export function targetId(value: number): TargetId {
  return value as TargetId;
}

/** @param value The number of the target whose unit it is. */
export function unitId(value: number): UnitId {
  return value as UnitId;
}
