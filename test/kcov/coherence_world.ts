/**
 * A small world around the coherence protocol: a kernel with a page cache, clients that touch their
 * page 0 and call ioctls, targets that run. Every way in which its steps can interleave can be walked.
 */
import {
  type Coherence,
  type Effect,
  type Event,
  INITIAL,
  type Operation,
  step,
} from "../../src/kcov/coherence.ts";

/** Page 0 of one instance, in the kernel's page cache. */
interface Page {
  /** `locked`: a READ is under way, and whoever wants the page waits for its answer. */
  readonly cache: "absent" | "locked" | "present";
  /** An ioctl that the client is inside of. */
  readonly ioctl: Operation | undefined;
  /** ENABLE has been answered, DISABLE not yet. */
  readonly isEnabled: boolean;
}

/** Everything there is; a step makes a new one. */
export interface World {
  readonly protocol: Coherence;
  readonly pages: readonly Page[];
  /** READs that were sent and not yet received. */
  readonly sent: readonly number[];
  /** Effects begun and not yet completed. */
  readonly pending: readonly Effect[];
  /** Drops that the kernel has carried out, their completion not yet received. */
  readonly dropped: readonly Effect[];
  readonly isRunning: boolean;
  /** A target has executed something that no collection has seen. */
  readonly isFresh: boolean;
}

/** One thing that may happen next, and the world after it. */
export interface Move {
  readonly name: string;
  readonly isProgress: boolean;
  readonly make: () => World;
}

/** A promise of the protocol that a move broke. */
export class Broken extends Error {
  override name = "Broken";
}

export function newWorld(lines: number): World {
  const page: Page = { cache: "absent", ioctl: undefined, isEnabled: false };
  return {
    protocol: INITIAL,
    pages: Array.from({ length: lines }, () => page),
    sent: [],
    pending: [],
    dropped: [],
    isRunning: true,
    isFresh: false,
  };
}

function withPage(world: World, line: number, patch: Partial<Page>): World {
  return {
    ...world,
    pages: world.pages.map((page, i) => i === line ? { ...page, ...patch } : page),
  };
}

function without<T>(items: readonly T[], item: T): T[] {
  return items.filter((other) => other !== item);
}

/** Has the protocol take an event, and begins its effects. */
function receive(world: World, event: Event): World {
  const { state, effects } = step(world.protocol, event, 0);
  return effects.reduce(begin, { ...world, protocol: state });
}

function begin(world: World, effect: Effect): World {
  switch (effect.kind) {
    case "release":
      return { ...world, isRunning: true };
    case "answer": {
      const page = world.pages[effect.line];
      if (page.isEnabled && world.isFresh) throw new Broken("a stale page is answered");
      if (page.isEnabled && world.isRunning) {
        throw new Broken("a page is answered while targets run");
      }
      return page.cache === "locked" ? withPage(world, effect.line, { cache: "present" }) : world;
    }
    case "perform":
      return perform(world, effect);
    default:
      return { ...world, pending: [...world.pending, effect] };
  }
}

function perform(world: World, effect: Effect & { kind: "perform" }): World {
  const page = world.pages[effect.line];
  if (page.ioctl !== effect.operation) throw new Broken("an ioctl is answered that nobody called");
  if (world.isRunning || world.isFresh) throw new Broken("an ioctl is carried out amid execution");
  const changesPage = effect.operation === "enable" || effect.operation === "reset";
  if (changesPage && page.cache === "present") throw new Broken("the client sees an old page");
  const isEnabled = effect.operation === "enable" || effect.operation === "reset";
  return withPage(world, effect.line, { ioctl: undefined, isEnabled });
}

/** All that may happen next. */
export function moves(world: World): Move[] {
  const found: Move[] = [];
  const add = (name: string, isProgress: boolean, make: () => World) =>
    found.push({ name, isProgress, make });
  if (world.isRunning) add("run", false, () => run(world));
  world.pages.forEach((page, line) => clientMoves(world, { page, line }, add));
  const [line, ...sent] = world.sent;
  if (line !== undefined) {
    add(`read ${line}`, true, () => receive({ ...world, sent }, { kind: "read", line }));
  }
  for (const effect of world.pending) completionMoves(world, effect, add);
  for (const effect of world.dropped) {
    const { line, drop } = effect as Effect & { kind: "drop" };
    const next = { ...world, dropped: without(world.dropped, effect) };
    add(`dropped ${line}`, true, () => receive(next, { kind: "dropped", line, drop }));
  }
  return found;
}

type Add = (name: string, isProgress: boolean, make: () => World) => void;

function run(world: World): World {
  for (const page of world.pages) {
    if (page.isEnabled && page.cache === "present") {
      throw new Broken("a target runs while the page of an enabled instance is mapped");
    }
  }
  return { ...world, isFresh: true };
}

function clientMoves(world: World, { page, line }: { page: Page; line: number }, add: Add): void {
  if (page.cache === "absent") {
    add(`touch ${line}`, false, () => ({
      ...withPage(world, line, { cache: "locked" }),
      sent: [...world.sent, line],
    }));
  }
  if (page.cache === "present") {
    add(`reclaim ${line}`, false, () => withPage(world, line, { cache: "absent" }));
    add(`store ${line}`, false, () => receive(world, { kind: "reset", line }));
  }
  if (page.ioctl) return;
  if (page.cache !== "locked") {
    add(
      `close ${line}`,
      false,
      () =>
        receive(withPage(world, line, { cache: "absent", isEnabled: false }), {
          kind: "closed",
          line,
        }),
    );
  }
  const operations: Operation[] = page.isEnabled ? ["disable", "reset", "retire"] : ["enable"];
  for (const operation of operations) {
    add(
      `${operation} ${line}`,
      false,
      () =>
        receive(withPage(world, line, { ioctl: operation }), { kind: "operate", line, operation }),
    );
  }
}

function completionMoves(world: World, effect: Effect, add: Add): void {
  const next = { ...world, pending: without(world.pending, effect) };
  switch (effect.kind) {
    case "stop":
      add("stopped", true, () => {
        const gained = new Set(world.isFresh ? world.pages.keys() : []);
        const held = { ...next, isRunning: false, isFresh: false };
        return receive(held, { kind: "stopped", gained });
      });
      return;
    case "store":
      add(
        `stored ${effect.line}`,
        true,
        () => receive(next, { kind: "stored", line: effect.line }),
      );
      return;
    case "wait":
      add(
        `elapsed ${effect.line}`,
        true,
        () => receive(next, { kind: "elapsed", line: effect.line, timer: effect.timer }),
      );
      return;
    case "grace":
      add(
        `stalled ${effect.line}`,
        true,
        () => receive(next, { kind: "stalled", line: effect.line, drop: effect.drop }),
      );
      return;
    case "drop":
      // The kernel waits for a page that is being read.
      if (world.pages[effect.line].cache === "locked") return;
      add(
        `drop ${effect.line}`,
        true,
        () =>
          withPage({ ...next, dropped: [...world.dropped, effect] }, effect.line, {
            cache: "absent",
          }),
      );
      return;
  }
}

/** Whether nobody waits for anything, and the targets run. */
export function isAtRest(world: World): boolean {
  return world.isRunning && world.pages.every((page) => page.cache !== "locked" && !page.ioctl);
}

/** Lets everything that is under way complete, with no new move of clients or targets. */
export function settleDown(world: World): World {
  for (let i = 0; i < 200; i++) {
    const progress = moves(world).filter((move) => move.isProgress);
    if (progress.length === 0) return world;
    world = progress[0].make();
  }
  throw new Broken("it never comes to rest");
}

/**
 * What distinguishes a world, as a text. Names of timers and drops matter only by their order, and
 * lengths of time not at all.
 */
export function fingerprint(world: World): string {
  const { phase, lines } = world.protocol;
  const serials = new Map<number, number>();
  const rename = (serial: number | undefined) => {
    if (serial === undefined) return "";
    if (!serials.has(serial)) serials.set(serial, serials.size);
    return serials.get(serial);
  };
  const page = (p: { kind: string; timer?: number; drop?: number; again?: boolean }) =>
    `${p.kind}${rename(p.timer)}.${rename(p.drop)}${p.again ?? ""}`;
  const line = [...lines].sort(([a], [b]) => a - b).map(([id, l]) =>
    [id, l.enabled, page(l.page), Math.min(l.reads, 2), l.operations, l.served].join()
  );
  const effect = (e: Effect) =>
    [
      e.kind,
      "line" in e ? e.line : "",
      "timer" in e ? rename(e.timer) : "",
      "drop" in e ? rename(e.drop) : "",
    ].join();
  return [
    phase.kind,
    line.join(";"),
    world.pages.map((p) => `${p.cache}${p.ioctl}${p.isEnabled}`).join(),
    world.sent.join(),
    world.pending.map(effect).sort().join(";"),
    world.dropped.map(effect).sort().join(";"),
    world.isRunning,
    world.isFresh,
  ].join("|");
}
