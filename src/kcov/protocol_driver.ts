import { PAGE_SIZE } from "./abi.ts";
import { INITIAL, step } from "./coherence/step.ts";
import type { Effect } from "./coherence/effect.ts";
import type { Event } from "./coherence/event.ts";
import { formatFound, formatStep } from "./debug_lines.ts";
import { inScope } from "./instance.ts";
import { isFull } from "./instance_status.ts";
import { microseconds, MicroTimer } from "./micro_timer.ts";
import type { PageCache } from "./page_cache.ts";
import type { Slot } from "./slot.ts";
import type { Source, TargetPcs } from "./source.ts";

/** Takes the protocol's steps, a line each. */
export interface StepLog {
  readonly enabled: boolean;
  (line: string): void;
}

/** What the effects act on. */
export interface DriverOptions {
  readonly source: Source;
  readonly cache: PageCache;
  readonly log: StepLog | undefined;
  /** Carries out the first of the operations that wait on an instance. */
  readonly perform: (slot: Slot) => void;
}

/** µs below which it is not worth while to wait. */
const SHORTEST_WAIT = 10;
/** ms that a READ waits for a drop. A drop takes some tens of µs, unless it waits for the READ. */
const STALL = 2;

/** Keeps the coherence protocol's state, and carries out its effects. */
export class ProtocolDriver {
  readonly #slots: ReadonlyMap<number, Slot>;
  readonly #source: Source;
  readonly #cache: PageCache;
  readonly #log: StepLog | undefined;
  readonly #perform: (slot: Slot) => void;
  readonly #timer = new MicroTimer();
  #coherence = INITIAL;
  #events: Event[] = [];
  #isStepping = false;

  /** @param slots The open instances by their node ids, which the protocol knows them by. */
  constructor(slots: ReadonlyMap<number, Slot>, options: DriverOptions) {
    this.#slots = slots;
    this.#source = options.source;
    this.#cache = options.cache;
    this.#log = options.log;
    this.#perform = options.perform;
  }

  /** Runs the protocol until it has nothing left to do now; events of its own effects queue up. */
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
    const slot = this.#slots.get(event.node);
    if (slot?.instance.state.kind !== "enabled") return;
    if (event.kind === "read") slot.meter.asked(now);
    else if (this.#coherence.pages.get(event.node)?.place.kind === "absent") {
      slot.meter.dropped(now);
    }
  }

  /** @param now When that happened which the effect comes of. */
  #carryOut(effect: Effect, now: number): void {
    if (effect.kind === "stop") return this.#stop(effect);
    if (effect.kind === "release") return this.#source.release(effect.units);
    if (effect.kind === "patience") {
      const { serial, ms } = effect;
      setTimeout(() => this.dispatch({ kind: "impatient", serial }), ms).unref();
      return;
    }
    const { node } = effect;
    const slot = this.#slots.get(node);
    if (!slot) return;
    switch (effect.kind) {
      case "store":
        slot.meter.held(now);
        return this.#store(slot);
      case "answer":
        slot.meter.answered(now);
        return answer(slot);
      case "wait": {
        // Not before the READ is answered in full, which the drop would wait for.
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
        return this.#perform(slot);
    }
  }

  #stop({ run, units, serial }: Effect & { kind: "stop" }): void {
    this.#source.stop({ run, units }).then((executed) => {
      if (this.#log?.enabled) executed.forEach((found) => this.#log!(formatFound(serial, found)));
      const gained = new Set<number>();
      for (const [id, slot] of this.#slots) if (append(slot, executed)) gained.add(id);
      this.dispatch({ kind: "stopped", serial, gained });
    });
  }

  #store(slot: Slot): void {
    const { id, area } = slot.instance;
    const stretch = area?.takeStretch();
    if (!stretch) return this.dispatch({ kind: "stored", node: id });
    this.#cache.store(id, stretch.offset, stretch.data).then(() => {
      area!.stretchStored(this.#cache.reads);
      this.dispatch({ kind: "stored", node: id });
    });
  }
}

/** @returns whether an instance has got anything of what was executed. */
function append({ instance: { state }, meter }: Slot, executed: readonly TargetPcs[]): boolean {
  if (state.kind !== "enabled") return false;
  const { area, mode, scope } = state;
  let added = 0;
  for (const { target, kind, pcs } of executed) {
    const isWanted = (mode === "cmp") === (kind === "comparisons");
    if (isWanted && inScope(scope, target)) added += area.append(pcs, kind);
  }
  meter.recorded(added, isFull({ words: area.words, count: area.count, mode }));
  return added > 0;
}

function answer(slot: Slot): void {
  const { reads } = slot;
  slot.reads = [];
  for (const { offset, size, resolve } of reads) resolve(slot.instance.area!.read(offset, size));
}
