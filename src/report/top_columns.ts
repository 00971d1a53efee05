import type { TargetRow } from "../messages/requests.ts";
import { type InstanceStatus, isFull } from "../kcov/mod.ts";
import { decimal, printable, UNKNOWN } from "./display_text.ts";
import type { Column } from "./fit_table.ts";
import { livingTargets } from "./living_targets.ts";
import { type FaultTimes, type Interval, type Rates, ratesIn } from "./rates.ts";

/** An instance, and its rates. */
interface Seen {
  readonly instance: InstanceStatus;
  readonly rates: Rates | undefined;
}

/** The columns of living targets. */
export function targetColumns({ now }: Interval): Column[] {
  const { text, number } = columnsOf(livingTargets(now));
  return [
    number("ID", ({ id }: TargetRow) => id),
    text("TARGET", ({ name }) => name),
    number("PID", ({ pid }) => pid),
    text("RUNTIME", ({ runtime }) => runtime, 3),
    text("COLLECTOR", ({ collector }) => collector, 2),
    text("HOLD", ({ hold }) => hold, 1),
    number("SCRIPTS", ({ scripts }) => scripts),
    number("BLOCKS", ({ blocks }) => blocks),
    text("STATE", ({ state, note }) => note ? `${state} (${note})` : state),
  ];
}

/** The columns of open instances. */
export function instanceColumns(interval: Interval): Column[] {
  const { text, number } = columnsOf(seenIn(interval));
  const time = (what: keyof FaultTimes) => ({ rates }: Seen) =>
    rates?.fault && decimal(rates.fault[what]);
  return [
    number("ID", ({ instance }) => instance.id),
    text("CLIENT", ({ instance }) => instance.client?.name),
    number("PID", ({ instance }) => instance.client?.pid),
    number("OWNER", ({ instance }) => instance.owner, 4),
    text("STATE", ({ instance }) => instance.state),
    text("TARGETS", ({ instance }) => scopeNames(instance, interval.now.targets), 2),
    number("AREA", ({ instance: { words, count } }) => words && `${count}/${words}`),
    number("FULL", ({ instance }) => fullCell(instance)),
    number("PCS", ({ instance }) => instance.counts?.pcs, 1),
    number("EXECS", ({ instance }) => instance.counts?.executions),
    number("EXECS/S", ({ rates }) => rates && decimal(rates.executions)),
    number("COLLECT", time("collecting"), 3),
    number("ANSWER", time("answering"), 3),
    number("HOLD", time("holding"), 3),
  ];
}

function seenIn(interval: Interval): Seen[] {
  return interval.now.instances.map((instance) => ({
    instance,
    rates: ratesIn(
      interval,
      ({ instances }) => instances.find(({ id }) => id === instance.id)?.counts,
    ),
  }));
}

/** Makes columns of things by the text of a cell; undefined stands for a value that nobody knows. */
function columnsOf<T>(things: readonly T[]) {
  const text = (heading: string, cell: (thing: T) => unknown, rank = 0): Column => ({
    ...{ heading, rank },
    cells: things.map((thing) => printable(String(cell(thing) ?? UNKNOWN))),
  });
  const number = (heading: string, cell: (thing: T) => unknown, rank = 0): Column => ({
    ...text(heading, cell, rank),
    isNumber: true,
  });
  return { text, number };
}

/** An instance without counts has a passthrough area: targets without probes do not write into it. */
function scopeNames({ scope, counts }: InstanceStatus, targets: readonly TargetRow[]): string {
  const names = new Map(targets.map(({ id, name }) => [id, name]));
  if (scope !== "all") return scope.map((id) => names.get(id) ?? id).join(",");
  const unseen = targets.filter(({ collector, state }) =>
    !counts && collector === "v8" && state !== "ended"
  );
  return unseen.length > 0 ? `all but ${unseen.map(({ name }) => name).join(",")}` : "all";
}

/** How often the area was full; where there are no counts, whether it is full now. */
function fullCell({ counts, words, count, mode = "pc" }: InstanceStatus): string | undefined {
  if (counts) return String(counts.full);
  const isNow = words !== undefined && count !== undefined && isFull({ words, count, mode });
  return isNow ? "now" : undefined;
}
