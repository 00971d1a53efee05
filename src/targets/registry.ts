import { ALL_UNITS, hasUnit, type Units, UnitSet } from "../kcov/coherence/unit.ts";
import type { Link } from "./link.ts";
import { type Hold, Target, type TargetInfo } from "./target.ts";
import { type TargetId, targetId, type UnitId, unitId } from "../kcov/ids.ts";

export interface RegistryOptions {
  /** ms after which a target that does not answer is left out of a collection. */
  readonly collectTimeout: number;
  readonly hold: Hold;
  /** Called after a target came, went or changed its note. */
  readonly onChange?: (target: Target) => void;
  /** Called when a number's unit has changed, before the target of that number may run. */
  readonly onRegroup?: () => void;
}

/** A caller that waits for a unit to be released. */
interface Waiting {
  readonly mayEnter: () => boolean;
  readonly enter: () => void;
}

/** A target's part of a collection. */
export interface Collected {
  readonly target: Target;
  /** V8's script coverages as JSON texts, in order. */
  readonly pieces: readonly Uint8Array[];
}

/** The number of ended targets that are kept for `ps`. */
const MOST_ENDED = 16;
/** Characters of a name, which becomes a file's name, with a number that makes it unique. */
const LONGEST_NAME = 200;

/** All targets, stopped and released by their units. */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #targets = new Set<Target>();
  /** Every name that a target ever had, with its number; and the unit of each number that is in another's. */
  readonly #ids = new Map<string, TargetId>();
  readonly #units = new Map<TargetId, UnitId>();
  readonly #stopped = new UnitSet();
  #waiting: Waiting[] = [];

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  get collectTimeout(): number {
    return this.#options.collectTimeout;
  }

  /** Targets in the order in which they came, with the last few that have ended. */
  get targets(): Target[] {
    return [...this.#targets];
  }

  /** The names that targets have, or had, and the numbers of these names. */
  get names(): { name: string; id: TargetId; isAlive: boolean }[] {
    const alive = new Set(this.targets.filter(isAlive).map((target) => target.info.name));
    return [...this.#ids].map(([name, id]) => ({ name, id, isAlive: alive.has(name) }));
  }

  /** The unit of the target that has a number, or had it last; a number without a target is its own unit. */
  unitOf(id: TargetId): UnitId {
    return this.#units.get(id) ?? unitId(id);
  }

  /**
   * Calls back when a target may start, at once or later. It must not start while its unit is held, as it
   * would run unheld. Add the target in the callback.
   */
  whenRunning(info: Pick<TargetInfo, "name" | "parent">, enter: () => void): void {
    this.#waiting.push({ mayEnter: () => this.#mayRun(info), enter });
    this.#letIn();
  }

  /** Calls back when a target's unit is not held, at once or later. */
  whenReleased(target: Target, enter: () => void): void {
    this.#waiting.push({ mayEnter: () => !this.#stopped.has(this.unitOf(target.id)), enter });
    this.#letIn();
  }

  /**
   * Resolves when a target is not held; work that must be done before it is held again must follow at once.
   */
  untilReleased(target: Target): Promise<void> {
    return new Promise((resolve) => this.whenReleased(target, resolve));
  }

  /** One after the other: a name that one has taken is not free for the next. */
  #letIn(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) {
      if (one.mayEnter()) one.enter();
      else this.#waiting.push(one);
    }
  }

  /** Neither the unit that it will be in may be held, nor the unit that its number was in before. */
  #mayRun(info: Pick<TargetInfo, "name" | "parent">): boolean {
    const id = this.#ids.get(this.#uniqueName(info.name)) ?? this.#nextId;
    const unit = info.parent?.unit ?? unitId(id);
    return !this.#stopped.has(unit) && !this.#stopped.has(this.unitOf(id));
  }

  get #nextId(): TargetId {
    return targetId(this.#ids.size + 1);
  }

  /** Adds a target that has not run yet or is about to run; makes its name unique. */
  add(link: Link, info: TargetInfo): Target {
    const name = this.#uniqueName(info.name);
    const id = this.#ids.get(name) ?? this.#nextId;
    this.#ids.set(name, id);
    const target = new Target(link, {
      id,
      info: { ...info, name },
      hold: this.#options.hold,
      onChange: (target) => this.#options.onChange?.(target),
    });
    this.#targets.add(target);
    this.#setUnit(target);
    link.closed.then(() => this.#forgetEnded());
    this.#options.onChange?.(target);
    return target;
  }

  #setUnit({ id, unit }: Target): void {
    const before = this.unitOf(id);
    if (unit === unitId(id)) this.#units.delete(id);
    else this.#units.set(id, unit);
    if (unit !== before) this.#options.onRegroup?.();
  }

  #uniqueName(wanted: string): string {
    const plain = wanted.replace(/[^\w.@+-]+/g, "_").replace(/^\.+/, "") || "target";
    // The name of a process's child contains the process's own name, and so on.
    const name = plain.slice(0, LONGEST_NAME);
    const taken = new Set(this.targets.filter(isAlive).map((target) => target.info.name));
    if (!taken.has(name)) return name;
    for (let i = 2;; i++) if (!taken.has(`${name}-${i}`)) return `${name}-${i}`;
  }

  #forgetEnded(): void {
    const ended = this.targets.filter((target) => !isAlive(target));
    for (const target of ended.slice(0, -MOST_ENDED)) this.#targets.delete(target);
  }

  /** Collects from the targets of units and holds them until {@linkcode release}. Never rejects. */
  async stop(options: { run: number; units: Units }): Promise<Collected[]> {
    const { run, units } = options;
    this.#stopped.add(units);
    const byUnit = new Map<UnitId, Target[]>();
    for (const target of this.#targets) {
      const unit = this.unitOf(target.id);
      if (target.isFree || !hasUnit(units, unit)) continue;
      const others = byUnit.get(unit);
      if (others) others.push(target);
      else byUnit.set(unit, [target]);
    }
    const stopping = [...byUnit.values()].map((targets) => this.#stopUnit(targets, run));
    return (await Promise.all(stopping)).flat();
  }

  /** The target of a number, unless it has ended. */
  find(id: TargetId): Target | undefined {
    return this.targets.find((target) => target.id === id && isAlive(target));
  }

  /**
   * Stops main threads last: threads that are reached by way of a main thread could not be stopped after it.
   */
  async #stopUnit(targets: readonly Target[], run: number): Promise<Collected[]> {
    const timeout = this.#options.collectTimeout;
    const stop = async (target: Target) => ({
      target,
      pieces: await target.stop({ run, timeout }),
    });
    const inner = targets.filter(({ info }) => info.parent);
    if (inner.length === 0) return await Promise.all(targets.map(stop));
    const collected = await Promise.all(inner.map(stop));
    const outer = targets.filter(({ info }) => !info.parent);
    return [...collected, ...await Promise.all(outer.map(stop))];
  }

  /** Lets the targets of units run, main threads first, and then the targets that wait to start. */
  release(units: Units = ALL_UNITS): void {
    this.#stopped.delete(units);
    const targets = this.targets.filter(({ id }) => hasUnit(units, this.unitOf(id)));
    for (const target of targets) if (!target.info.parent) target.release();
    for (const target of targets) if (target.info.parent) target.release();
    this.#letIn();
  }
}

function isAlive(target: Target): boolean {
  return target.state !== "ended";
}
