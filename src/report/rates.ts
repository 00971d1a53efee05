import type { Snapshot } from "../messages/requests.ts";
import type { Counts } from "../kcov/mod.ts";

/** Snapshots of a server; without one before, no rate is known. */
export interface Interval {
  readonly before?: Snapshot | undefined;
  readonly now: Snapshot;
  /** The first of the last minute, for what is too rare for a shorter time. @default {before} */
  readonly minuteAgo?: Pick<Snapshot, "uptime" | "coveredBlocks"> | undefined;
}

/** What happened in an interval. */
export interface Rates {
  /** A second. */
  readonly executions: number;
  readonly faults: number;
  /** Of a fault on average, in ms; missing where there was none. */
  readonly fault?: FaultTimes;
}

/** As in {@linkcode Counts}. */
export type FaultTimes = Pick<Counts, "collecting" | "answering" | "holding">;

/**
 * Rates of what is counted in both snapshots; undefined where it is not.
 *
 * @param countsOf Where the counts are. @default {all instances}
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
