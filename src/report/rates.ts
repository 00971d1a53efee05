import type { Snapshot } from "../messages/requests.ts";
import type { Counts } from "../kcov/mod.ts";

/** Snapshots of a server. Without an earlier one, no rate is known. */
export interface Interval {
  readonly before?: Snapshot | undefined;
  readonly now: Snapshot;
  /**
   * The first snapshot of the last minute, for events that are too rare for a shorter time. @default {before}
   */
  readonly minuteAgo?: Pick<Snapshot, "uptime" | "coveredBlocks"> | undefined;
}

/** Rates over an interval. */
export interface Rates {
  /** Executions a second. */
  readonly executions: number;
  readonly faults: number;
  /** Average times of a fault, in ms; missing where there was no fault. */
  readonly fault?: FaultTimes;
}

/** The parts of a fault's time, as in {@linkcode Counts}. */
export type FaultTimes = Pick<Counts, "collecting" | "answering" | "holding">;

/**
 * Rates of counts; undefined where one of the snapshots does not have them.
 *
 * @param countsOf Returns the counts of a snapshot. @default {all instances}
 */
export function ratesIn(
  { before, now }: Interval,
  countsOf: (snapshot: Snapshot) => Counts | undefined = ({ total }) => total,
): Rates | undefined {
  const [first, last] = [before && countsOf(before), countsOf(now)];
  const seconds = now.uptime - (before?.uptime ?? now.uptime);
  if (!first || !last || seconds <= 0) return undefined;
  const faults = last.faults - first.faults;
  const mean = (what: keyof FaultTimes) => (last[what] - first[what]) / 1000 / faults;
  const [collecting, answering, holding] = [mean("collecting"), mean("answering"), mean("holding")];
  return {
    executions: (last.executions - first.executions) / seconds,
    faults: faults / seconds,
    ...(faults > 0 && { fault: { collecting, answering, holding } }),
  };
}
