/**
 * A small world around the coherence protocol: a kernel with a page cache, clients that touch their page 0 and
 * call ioctls, units of targets that run. Every possible order of its steps can be walked.
 */
import { type Coherence, INITIAL, step } from "../../src/kcov/coherence/step.ts";
import type { Effect } from "../../src/kcov/coherence/effect.ts";
import type { Event } from "../../src/kcov/coherence/event.ts";
import type { Operation, UnitScope } from "../../src/kcov/coherence/page0.ts";
import { REST } from "../../src/kcov/coherence/unit.ts";
import { hasUnit } from "../../src/kcov/coherence/unit.ts";
import { unitId } from "../../src/kcov/ids.ts";
import { type NodeId, nodeId } from "../../src/fuse/ids.ts";

/** Page 0 of one instance, in the kernel's page cache. */
interface Page {
  /** `locked`: a READ is under way, and everybody who wants the page waits for its answer. */
  readonly cache: "absent" | "locked" | "present";
  /** The ioctl in which the client is. */
  readonly ioctl: Operation | undefined;
  /** ENABLE has been answered, DISABLE not yet. */
  readonly isEnabled: boolean;
  /** The scope that it is enabled with. */
  readonly scope: UnitScope;
  /** By unit: how much of its execution since ENABLE is in the area. */
  readonly got: readonly number[];
  readonly enabledAt: readonly number[];
}

/** The targets of one unit. */
interface Unit {
  readonly isRunning: boolean;
  /** How much they have executed, and how much of that was collected. */
  readonly executed: number;
  readonly collected: number;
}

/** All there is; a step makes a new one. */
export interface World {
  readonly protocol: Coherence;
  /** On the protocol's clock. */
  readonly now: number;
  readonly pages: readonly Page[];
  /** By name; the first, {@linkcode REST}, has all units that no scope names. */
  readonly units: readonly Unit[];
  /** READs that were sent and not yet received. */
  readonly sent: readonly number[];
  /** Effects begun and not yet completed. */
  readonly pending: readonly Effect[];
  /** Drops that the kernel has carried out, their completion not yet received. */
  readonly dropped: readonly Effect[];
}

/** An event that may happen next, and the world after it. */
export interface Move {
  readonly name: string;
  readonly isProgress: boolean;
  readonly make: () => World;
}

/** A promise of the protocol that a move broke. */
export class Broken extends Error {
  override name = "Broken";
}

/** @param scopes By instance: the scope that ENABLE gives it. */
export function newWorld(scopes: readonly UnitScope[]): World {
  const named = Math.max(REST, ...scopes.flatMap((scope) => scope === "all" ? [] : scope));
  const units = Array.from({ length: named + 1 }, () => ({
    isRunning: true,
    executed: 0,
    collected: 0,
  }));
  const nothing = units.map(() => 0);
  return {
    protocol: INITIAL,
    now: 0,
    pages: scopes.map((scope) => ({
      cache: "absent",
      ioctl: undefined,
      isEnabled: false,
      scope,
      got: nothing,
      enabledAt: nothing,
    })),
    units,
    sent: [],
    pending: [],
    dropped: [],
  };
}

function withPage(world: World, node: number, patch: Partial<Page>): World {
  return {
    ...world,
    pages: world.pages.map((page, i) => i === node ? { ...page, ...patch } : page),
  };
}

function without<T>(items: readonly T[], item: T): T[] {
  return items.filter((other) => other !== item);
}

function covers(page: Page, unit: number): boolean {
  return page.scope === "all" || page.scope.includes(unitId(unit));
}

/** Whether it is a wait for an event that has happened already. */
function isVain(world: World, effect: Effect): boolean {
  if (effect.kind !== "patience") return false;
  const units = [...world.protocol.units.values()];
  return !units.some(({ phase }) => phase.kind === "stopping" && phase.serial === effect.serial);
}

/** Has the protocol take an event, and begins its effects. */
function receive(world: World, event: Event): World {
  const { state, effects } = step(world.protocol, event, world.now);
  const next = effects.reduce(begin, { ...world, protocol: state });
  return { ...next, pending: next.pending.filter((effect) => !isVain(next, effect)) };
}

function begin(world: World, effect: Effect): World {
  switch (effect.kind) {
    case "stop":
      for (const other of world.pending) {
        if (other.kind === "stop" && world.units.some((_, unit) => isIn(unit, effect, other))) {
          throw new Broken("a unit is stopped that is being stopped");
        }
      }
      return { ...world, pending: [...world.pending, effect] };
    case "release":
      return release(world, effect);
    case "answer": {
      const page = world.pages[effect.node];
      if (page.isEnabled) checkExact(world, page);
      return page.cache === "locked" ? withPage(world, effect.node, { cache: "present" }) : world;
    }
    case "perform":
      return perform(world, effect);
    default:
      return { ...world, pending: [...world.pending, effect] };
  }
}

function isIn(unit: number, ...effects: (Effect & { kind: "stop" | "release" })[]): boolean {
  return effects.every(({ units }) => hasUnit(units, unitId(unit)));
}

function release(world: World, effect: Effect & { kind: "release" }): World {
  for (const other of world.pending) {
    if (other.kind === "stop" && world.units.some((_, unit) => isIn(unit, effect, other))) {
      throw new Broken("a unit is let go that is being stopped");
    }
  }
  const units = world.units.map((unit, id) =>
    isIn(id, effect) ? { ...unit, isRunning: true } : unit
  );
  return { ...world, units };
}

/** The area has exactly what was executed in the scope since ENABLE, each once. */
function checkExact(world: World, page: Page): void {
  for (const [id, unit] of world.units.entries()) {
    if (!covers(page, id)) continue;
    if (unit.isRunning) throw new Broken("a page is answered while targets run");
    const due = unit.executed - page.enabledAt[id];
    if (page.got[id] < due) throw new Broken("a stale page is answered");
    if (page.got[id] > due) throw new Broken("something was given twice");
  }
}

function perform(world: World, effect: Effect & { kind: "perform" }): World {
  const page = world.pages[effect.node];
  if (page.ioctl !== effect.operation) throw new Broken("an ioctl is answered that nobody called");
  for (const [id, unit] of world.units.entries()) {
    if (covers(page, id) && (unit.isRunning || unit.executed !== unit.collected)) {
      throw new Broken("an ioctl is carried out amid execution");
    }
  }
  const changesPage = effect.operation === "enable" || effect.operation === "reset";
  if (changesPage && page.cache === "present") throw new Broken("the client sees an old page");
  const enabledAt = world.units.map(({ executed }) => executed);
  return withPage(world, effect.node, {
    ioctl: undefined,
    isEnabled: changesPage,
    ...(effect.operation === "enable" && { enabledAt, got: enabledAt.map(() => 0) }),
  });
}

/** All moves that may come next. */
export function moves(world: World): Move[] {
  const found: Move[] = [];
  const add = (name: string, isProgress: boolean, make: () => World) =>
    found.push({ name, isProgress, make });
  for (const [id, unit] of world.units.entries()) {
    if (unit.isRunning) add(`run ${id}`, false, () => run(world, id));
  }
  world.pages.forEach((page, node) => clientMoves(world, { page, node }, add));
  const [node, ...sent] = world.sent;
  if (node !== undefined) {
    add(
      `read ${node}`,
      true,
      () => receive({ ...world, sent }, { kind: "read", node: nodeId(node) }),
    );
  }
  for (const effect of world.pending) completionMoves(world, effect, add);
  for (const effect of world.dropped) {
    const { node, drop } = effect as Effect & { kind: "drop" };
    const next = { ...world, dropped: without(world.dropped, effect) };
    add(`dropped ${node}`, true, () => receive(next, { kind: "dropped", node, drop }));
  }
  return found;
}

type Add = (name: string, isProgress: boolean, make: () => World) => void;

function run(world: World, id: number): World {
  for (const page of world.pages) {
    if (page.isEnabled && covers(page, id) && page.cache === "present") {
      throw new Broken("a target runs while the page of an enabled instance is mapped");
    }
  }
  const units = world.units.map((unit, i) =>
    i === id ? { ...unit, executed: unit.executed + 1 } : unit
  );
  return { ...world, units };
}

function clientMoves(world: World, { page, node }: { page: Page; node: number }, add: Add): void {
  if (page.cache === "absent") {
    add(`touch ${node}`, false, () => ({
      ...withPage(world, node, { cache: "locked" }),
      sent: [...world.sent, node],
    }));
  }
  if (page.cache === "present") {
    add(`reclaim ${node}`, false, () => withPage(world, node, { cache: "absent" }));
    add(`store ${node}`, false, () => receive(world, { kind: "reset", node: nodeId(node) }));
  }
  if (page.ioctl) return;
  if (page.cache !== "locked") {
    add(
      `close ${node}`,
      false,
      () =>
        receive(withPage(world, node, { cache: "absent", isEnabled: false }), {
          kind: "closed",
          node: nodeId(node),
        }),
    );
  }
  const operations: Operation[] = page.isEnabled ? ["disable", "reset", "retire"] : ["enable"];
  for (const operation of operations) {
    add(`${operation} ${node}`, false, () => operate(world, { node, operation }));
  }
}

/** @param call `scope`: the scope that ENABLE gives the instance. */
export function operate(
  world: World,
  call: { node: number; operation: Operation; scope?: UnitScope },
): World {
  const { node, operation, scope = world.pages[node].scope } = call;
  const next = withPage(world, node, { ioctl: operation, scope });
  return receive(next, { kind: "operate", node: nodeId(node), operation, scope });
}

function completionMoves(world: World, effect: Effect, add: Add): void {
  const next = { ...world, pending: without(world.pending, effect) };
  switch (effect.kind) {
    case "stop":
      add(`stopped ${effect.serial}`, true, () => stopped(next, effect));
      return;
    case "patience":
      // Twice is enough: a third time is like the second.
      if (effect.ms > 40) return;
      add(
        `impatient ${effect.serial}`,
        true,
        () => receive(next, { kind: "impatient", serial: effect.serial }),
      );
      return;
    case "store":
      add(
        `stored ${effect.node}`,
        true,
        () => receive(next, { kind: "stored", node: effect.node }),
      );
      return;
    case "wait":
      add(
        `elapsed ${effect.node}`,
        true,
        () => receive(next, { kind: "elapsed", node: effect.node, timer: effect.timer }),
      );
      return;
    case "grace":
      add(
        `stalled ${effect.node}`,
        true,
        () => receive(next, { kind: "stalled", node: effect.node, drop: effect.drop }),
      );
      return;
    case "drop":
      // The kernel waits for a page that is being read.
      if (world.pages[effect.node].cache === "locked") return;
      add(
        `drop ${effect.node}`,
        true,
        () =>
          withPage({ ...next, dropped: [...world.dropped, effect] }, effect.node, {
            cache: "absent",
          }),
      );
      return;
  }
}

/** Targets are collected from and held; their executed blocks are appended to the areas of their scope. */
function stopped(world: World, effect: Effect & { kind: "stop" }): World {
  const gained = new Set<NodeId>();
  const pages = world.pages.map((page, node) => {
    const got = page.got.map((before, id) => {
      const { executed, collected } = world.units[id];
      if (!page.isEnabled || !covers(page, id) || !isIn(id, effect)) return before;
      if (executed === collected) return before;
      if (page.cache === "present") throw new Broken("a mapped page is appended to");
      gained.add(nodeId(node));
      return before + executed - collected;
    });
    return { ...page, got };
  });
  const units = world.units.map((unit, id) =>
    isIn(id, effect) ? { ...unit, isRunning: false, collected: unit.executed } : unit
  );
  return receive({ ...world, pages, units }, { kind: "stopped", serial: effect.serial, gained });
}

/** Whether nobody waits for anything, and the targets run. */
export function isAtRest(world: World): boolean {
  return world.units.every(({ isRunning }) => isRunning) &&
    world.pages.every((page) => page.cache !== "locked" && !page.ioctl);
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
 * The parts that distinguish a world, as a text. Names of timers, drops and holds matter only by their order;
 * lengths of time and amounts of executed code do not matter.
 */
export function fingerprint(world: World): string {
  const { pages, units } = world.protocol;
  const serials = serialsOf(world);
  const rename = (serial: number | undefined) => serials.get(serial ?? -1) ?? "";
  const place = (p: { kind: string; timer?: number; drop?: number; again?: boolean }) =>
    `${p.kind}${rename(p.timer)}.${rename(p.drop)}${p.again ?? ""}`;
  const known = [...pages].sort(([a], [b]) => a - b).map(([id, l]) =>
    [
      id,
      l.enabled,
      l.scope,
      place(l.place),
      Math.min(l.reads, 2),
      l.operations,
      rename(l.served),
      l.patience,
    ]
      .join()
  );
  const phases = [...units].sort(([a], [b]) => a - b).map(([id, { phase }]) =>
    [
      id,
      phase.kind,
      "serial" in phase ? rename(phase.serial) : "",
      "slow" in phase ? phase.slow : "",
    ].join()
  );
  const effect = (e: Effect) =>
    [
      e.kind,
      "node" in e ? e.node : "",
      "timer" in e ? rename(e.timer) : "",
      "drop" in e ? rename(e.drop) : "",
      "serial" in e ? rename(e.serial) : "",
      "units" in e ? JSON.stringify(e.units) : "",
    ].join();
  return [
    phases.join(";"),
    known.join(";"),
    world.pages.map((p) => `${p.cache}${p.ioctl}${p.isEnabled}`).join(),
    world.sent.join(),
    world.pending.map(effect).sort().join(";"),
    world.dropped.map(effect).sort().join(";"),
    world.units.map((u) => `${u.isRunning}${u.executed !== u.collected}`).join(),
  ].join("|");
}

/** New names for the serial numbers that are in use, in their order. */
function serialsOf({ protocol, pending, dropped }: World): Map<number, number> {
  const found = new Set<number>();
  const note = (item: object) => {
    for (const key of ["timer", "drop", "serial", "served"]) {
      const value = (item as Record<string, unknown>)[key];
      if (typeof value === "number") found.add(value);
    }
  };
  for (const page of protocol.pages.values()) [page, page.place].forEach(note);
  for (const unit of protocol.units.values()) note(unit.phase);
  [...pending, ...dropped].forEach(note);
  return new Map([...found].sort((a, b) => a - b).map((serial, i) => [serial, i]));
}
