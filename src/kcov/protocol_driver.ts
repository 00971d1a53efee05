import { PAGE_SIZE } from "./abi.ts";
import type { Area } from "./area.ts";
import type { Effect } from "./coherence/effect.ts";
import type { Event } from "./coherence/event.ts";
import type { Node, Operation } from "./coherence/page0.ts";
import { INITIAL, step } from "./coherence/step.ts";
import { formatFound, formatStep } from "./debug_lines.ts";
import { type Change, Instance, type Opening, Refusal } from "./instance.ts";
import { isFull } from "./instance_status.ts";
import { type Counts, Meter } from "./meter.ts";
import { microseconds, MicroTimer } from "./micro_timer.ts";
import type { PageCache } from "./page_cache.ts";
import { inScope, type Mode, type Scope, type Source, type TargetPcs } from "./source.ts";

/** Takes the protocol's steps, a line each. */
export interface StepLog {
  readonly enabled: boolean;
  (line: string): void;
}

export interface DriverOptions {
  readonly source: Source;
  readonly cache: PageCache;
  readonly log: StepLog | undefined;
}

/** A READ that waits for its answer; offset and size are in bytes. */
export interface Waiting {
  readonly offset: number;
  readonly size: number;
  readonly resolve: (data: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** An ioctl that waits for the targets to stand still. Without a change, it only waits. */
export interface WaitingOperation {
  readonly change: Change | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** An instance whose area is in the kernel's page cache, with the READs and ioctls that wait. */
export class CachedInstance extends Instance<Area> {
  /** Waiting READs of page 0. */
  reads: Waiting[] = [];
  operations: WaitingOperation[] = [];
  readonly meter: Meter;

  constructor(opening: Opening, { total }: { total: Counts }) {
    super(opening);
    this.meter = new Meter(total);
  }

  /** The targets that it traces, or is about to trace. */
  get nextScope(): Scope {
    for (const { change } of this.operations) {
      if (change?.operation === "enable") return change.enabling.scope;
    }
    return this.scope;
  }

  /** Nobody has it open any more. */
  refuseAll(): void {
    for (const waiting of [...this.reads, ...this.operations]) waiting.reject(new Refusal("EIO"));
  }

  /** Carries out the first of the waiting operations. */
  perform(operation: Operation): void {
    const [first, ...rest] = this.operations;
    this.operations = rest;
    if (first.change) this.change(first.change);
    if (operation === "reset") this.meter.emptied();
    first.resolve();
  }

  /** Answers all waiting READs of page 0. */
  answer(): void {
    const { reads, area } = this;
    this.reads = [];
    if (area) { for (const { offset, size, resolve } of reads) resolve(area.read(offset, size)); }
  }

  /** @returns whether the area got anything new. */
  append(executed: readonly TargetPcs[]): boolean {
    const { state } = this;
    if (state.kind !== "enabled") return false;
    const { area, mode, scope } = state;
    let added = 0;
    for (const { target, kind, pcs } of executed) {
      if (KINDS[mode].includes(kind) && inScope(scope, target)) added += area.append(pcs, kind);
    }
    this.meter.recorded(added, isFull({ words: area.words, count: area.count, mode }));
    return added > 0;
  }
}

/** The kinds of records that come into an area, by its mode. */
const KINDS: Record<Mode, readonly TargetPcs["kind"][]> = {
  pc: ["counts", "trace"],
  fold: ["counts", "folded"],
  cmp: ["comparisons"],
};
/** µs; a shorter wait is not worth while. */
const SHORTEST_WAIT = 10;
/** ms for which a READ waits for a drop. A drop takes some tens of µs, unless it waits for the READ. */
const STALL = 2;

/** Keeps the coherence protocol's state, and carries out its effects. */
export class ProtocolDriver {
  /** The open instances, by the nodes by which the protocol knows them. */
  readonly #instances = new Map<Node, CachedInstance>();
  readonly #source: Source;
  readonly #cache: PageCache;
  readonly #log: StepLog | undefined;
  readonly #timer = new MicroTimer();
  #coherence = INITIAL;
  #events: Event[] = [];
  #isStepping = false;

  constructor(options: DriverOptions) {
    this.#source = options.source;
    this.#cache = options.cache;
    this.#log = options.log;
  }

  get instances(): Iterable<CachedInstance> {
    return this.#instances.values();
  }

  open(instance: CachedInstance): void {
    this.#instances.set(instance.id, instance);
  }

  close(instance: CachedInstance): void {
    this.#instances.delete(instance.id);
    instance.refuseAll();
    this.dispatch({ kind: "closed", node: instance.id });
  }

  /** Runs the protocol until it has nothing left to do now; events from its own effects are queued. */
  dispatch(event: Event): void {
    this.#events.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        const now = microseconds();
        const { state, effects } = step(this.#coherence, next, now);
        if (this.#log?.enabled) this.#log(formatStep(next, effects));
        this.#coherence = state;
        this.#note(next, now);
        for (const effect of effects) this.#carryOut(effect, now);
      }
    } finally {
      this.#isStepping = false;
    }
  }

  /** For the meter: faults on an instance that is not enabled wait for no target. */
  #note(event: Event, now: number): void {
    if (event.kind !== "read" && event.kind !== "dropped") return;
    const instance = this.#instances.get(event.node);
    if (instance?.state.kind !== "enabled") return;
    if (event.kind === "read") instance.meter.asked(now);
    else if (this.#coherence.pages.get(event.node)?.place.kind === "absent") {
      instance.meter.dropped(now);
    }
  }

  /** @param now The time of the event that caused the effect. */
  #carryOut(effect: Effect, now: number): void {
    if (effect.kind === "stop") return this.#stop(effect);
    if (effect.kind === "release") return this.#source.release(effect.units);
    if (effect.kind === "patience") {
      const { serial, ms } = effect;
      setTimeout(() => this.dispatch({ kind: "impatient", serial }), ms).unref();
      return;
    }
    const { node } = effect;
    const instance = this.#instances.get(node);
    if (!instance) return;
    switch (effect.kind) {
      case "store":
        instance.meter.held(now);
        return this.#store(instance);
      case "answer":
        instance.meter.answered(now);
        return instance.answer();
      case "wait": {
        // Not before the READ is answered in full: the drop would wait for that.
        const call = () => this.dispatch({ kind: "elapsed", node, timer: effect.timer });
        if (effect.us < SHORTEST_WAIT) setImmediate(call);
        else this.#timer.after(effect.us, call);
        return;
      }
      case "grace":
        setTimeout(() => this.dispatch({ kind: "stalled", node, drop: effect.drop }), STALL);
        return;
      case "drop":
        this.#cache.invalInode(node, { offset: 0, length: PAGE_SIZE }).then(() =>
          this.dispatch({ kind: "dropped", node, drop: effect.drop })
        );
        return;
      case "perform":
        return instance.perform(effect.operation);
    }
  }

  #stop({ run, units, serial }: Effect & { kind: "stop" }): void {
    this.#source.stop({ run, units }).then((executed) => {
      const log = this.#log;
      if (log?.enabled) executed.forEach((found) => log(formatFound(serial, found)));
      const gained = new Set<Node>();
      for (const [node, instance] of this.#instances) {
        if (instance.append(executed)) gained.add(node);
      }
      this.dispatch({ kind: "stopped", serial, gained });
    });
  }

  #store({ id, area }: CachedInstance): void {
    const stretch = area?.takeStretch();
    if (!area || !stretch) return this.dispatch({ kind: "stored", node: id });
    this.#cache.store(id, stretch.offset, stretch.data).then(() => {
      area.stretchStored(this.#cache.reads);
      this.dispatch({ kind: "stored", node: id });
    });
  }
}
