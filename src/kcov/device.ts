import { ALL_UNITS } from "../units.ts";
import * as abi from "./abi.ts";
import { INITIAL, STALL, step } from "./coherence.ts";
import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";
import { formatStep } from "./format_step.ts";
import { inScope, Instance, Refusal, type Scope } from "./instance.ts";
import type { LineScope, Operation } from "./line.ts";
import { microseconds, MicroTimer } from "./micro_timer.ts";
import { findOwner, isAlive, type Owner } from "./owner.ts";
import type { PageCache } from "./page_cache.ts";
import { HandleTable, readRemoteArg, scopeOf } from "./remote.ts";
import type { Source } from "./source.ts";

/** What a device may say. */
export interface DeviceOptions {
  readonly log?: { readonly enabled: boolean; (line: string): void };
  /** How often owners are looked for, in ms: no message tells that a thread has ended. @default {100} */
  readonly sweep?: number;
  /** Called after an instance was enabled, or given back. */
  readonly onChange?: () => void;
}

/** Pages that are stored ahead of a client that clears its area page by page, at most. */
const MOST_AHEAD = 256;

/** µs below which it is not worth while to wait. */
const SHORTEST_WAIT = 10;

interface Call {
  readonly cmd: number;
  readonly arg: bigint;
  /** What `arg` points to, where the ioctl's number says that it does. */
  readonly data?: Uint8Array;
  readonly tid: number;
}

interface Waiting {
  readonly offset: number;
  readonly size: number;
  readonly resolve: (data: Uint8Array) => void;
}

/** What an instance is enabled with. */
interface Enabling {
  readonly owner: Owner;
  readonly scope: Scope;
}

interface Slot {
  readonly instance: Instance;
  /** READs of page 0 that wait for their answer. */
  reads: Waiting[];
  /** ioctls that wait for the targets to stand still. */
  operations: { operation: Operation; resolve: (result: number) => void; enabling?: Enabling }[];
  /** ioctls on one instance follow each other, as under `kcov->lock`. */
  turn: Promise<unknown>;
  /** Where a client that goes through its area is, and how far ahead of it was stored. */
  nextPage: number;
  ahead: number;
}

/**
 * The kcov device: instances, their owners, and the effects of the coherence protocol. It knows the
 * page cache and the targets by the two interfaces it is given.
 */
export class Device implements AsyncDisposable {
  readonly #source: Source;
  readonly #cache: PageCache;
  readonly #options: DeviceOptions;
  readonly #slots = new Map<number, Slot>();
  /** The instance that a thread has enabled, which outlives the instance's last descriptor. */
  readonly #enabled = new Map<number, { owner: Owner; slot: Slot }>();
  readonly #handles = new HandleTable();
  readonly #timer = new MicroTimer();
  readonly #sweep: NodeJS.Timeout;
  #coherence = INITIAL;
  #events: Event[] = [];
  #isStepping = false;

  constructor(source: Source, cache: PageCache, options: DeviceOptions = {}) {
    this.#source = source;
    this.#cache = cache;
    this.#options = options;
    this.#sweep = setInterval(() => this.#retireDead(), options.sweep ?? 100).unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweep);
    this.#source.release(ALL_UNITS);
    return Promise.resolve();
  }

  /** The instances that are open. */
  get instances(): Instance[] {
    return [...this.#slots.values()].map((slot) => slot.instance);
  }

  /**
   * @param id The node id, which must be new: an inode is an area.
   * @param scope What KCOV_ENABLE makes it be told of. @default {"all"}
   */
  open(id: number, scope: Scope = "all"): void {
    this.#slots.set(id, {
      instance: new Instance(id, scope),
      reads: [],
      operations: [],
      turn: Promise.resolve(),
      nextPage: 0,
      ahead: 0,
    });
  }

  isOpen(id: number): boolean {
    return this.#slots.has(id);
  }

  /** The last descriptor and the last mapping are gone. */
  release(id: number): void {
    this.#slots.delete(id);
    this.#dispatch({ kind: "closed", line: id });
    this.#options.onChange?.();
  }

  /** The size of an instance's file in bytes; undefined before KCOV_INIT_TRACE. */
  size(id: number): number | undefined {
    return this.#slots.get(id)?.instance.area?.size;
  }

  /** @returns 0, or a negative errno, which may be below -511. */
  ioctl(id: number, call: Call): Promise<number> {
    const slot = this.#slot(id);
    const result = slot.turn.then(() => this.#ioctl(slot, call)).catch((error) => {
      if (error instanceof Refusal) return -error.errno;
      throw error;
    });
    slot.turn = result.catch(() => {});
    return result;
  }

  #slot(id: number): Slot {
    const slot = this.#slots.get(id);
    if (!slot) throw new Refusal("EIO");
    return slot;
  }

  async #ioctl(slot: Slot, call: Call): Promise<number> {
    const { instance } = slot;
    switch (call.cmd) {
      case abi.KCOV_INIT_TRACE:
        return await this.#initialize(slot, call.arg);
      case abi.KCOV_ENABLE:
        return await this.#enable(slot, call);
      case abi.KCOV_DISABLE:
        instance.checkOwned(call.tid, call.arg);
        return await this.#operate(slot, "disable");
      case abi.KCOV_RESET_TRACE:
        instance.checkOwned(call.tid, call.arg);
        return await this.#operate(slot, "reset");
      case abi.KCOV_REMOTE_ENABLE:
        return await this.#enableRemote(slot, call);
      default:
        throw new Refusal("ENOTTY");
    }
  }

  /** Storing the last word extends the file, without which touching a mapping of it is SIGBUS. */
  async #initialize(slot: Slot, words: bigint): Promise<number> {
    slot.instance.checkInitialize(words);
    const last = (Number(words) - 1) * abi.WORD_SIZE;
    const errno = await this.#cache.store(slot.instance.id, last, new Uint8Array(abi.WORD_SIZE));
    if (errno !== 0) throw new Refusal("EIO");
    slot.instance.initialize(words);
    return 0;
  }

  async #enable(slot: Slot, call: Call): Promise<number> {
    const owner = await this.#checkEnable(slot, { mode: call.arg, tid: call.tid });
    return await this.#operate(slot, "enable", { owner, scope: slot.instance.fileScope });
  }

  async #enableRemote(slot: Slot, call: Call): Promise<number> {
    const remote = await readRemoteArg(call);
    const owner = await this.#checkEnable(slot, { mode: remote.mode, tid: call.tid });
    this.#handles.take(remote, { node: slot.instance.id, owner });
    return await this.#operate(slot, "enable", { owner, scope: scopeOf(remote) });
  }

  /** @returns who calls. */
  async #checkEnable(slot: Slot, call: { mode: bigint; tid: number }): Promise<Owner> {
    const current = slot.instance.owner;
    if (current && !isAlive(current)) await this.#retire(slot);
    const mine = this.#enabled.get(call.tid);
    const isBusy = mine !== undefined && isAlive(mine.owner);
    slot.instance.checkEnable(call.mode, isBusy);
    const owner = findOwner(call.tid);
    if (!owner) throw new Refusal("EINVAL");
    return owner;
  }

  #operate(slot: Slot, operation: Operation, enabling?: Enabling): Promise<number> {
    return new Promise((resolve) => {
      slot.operations.push({ operation, resolve, ...(enabling && { enabling }) });
      const scope = enabling && this.#lineScope(enabling.scope);
      const line = slot.instance.id;
      this.#dispatch({ kind: "operate", line, operation, ...(scope && { scope }) });
    });
  }

  #lineScope(scope: Scope): LineScope {
    if (scope === "all") return scope;
    return [...new Set([...scope].map((target) => this.#source.unitOf(target)))];
  }

  /**
   * Targets have come to other units than their numbers were in before: to be called when none of
   * these units is held, and before the targets run.
   */
  regroup(): void {
    for (const [line, { instance, operations }] of this.#slots) {
      const scope = operations.find(({ enabling }) => enabling)?.enabling?.scope ?? instance.scope;
      if (scope === "all") continue;
      this.#dispatch({ kind: "rescope", line, scope: this.#lineScope(scope) });
    }
  }

  /** Whether anybody has a target's own file open. */
  isNamed(target: number): boolean {
    for (const { instance: { fileScope } } of this.#slots.values()) {
      if (fileScope !== "all" && fileScope.has(target)) return true;
    }
    return false;
  }

  #perform(slot: Slot): void {
    const { operation, resolve, enabling } = slot.operations.shift()!;
    const { instance } = slot;
    if (operation === "enable") {
      instance.enable(enabling!.owner, enabling!.scope);
      this.#enabled.set(enabling!.owner.tid, { owner: enabling!.owner, slot });
    } else if (operation === "reset") {
      instance.area!.reset();
    } else if (instance.owner) {
      const { tid } = instance.owner;
      if (this.#enabled.get(tid)?.slot === slot) this.#enabled.delete(tid);
      this.#handles.free(instance.id);
      instance.disable();
    }
    if (operation !== "reset") this.#options.onChange?.();
    resolve(0);
  }

  /** The owner is dead: what it caused is collected, and the instance can be enabled anew. */
  #retire(slot: Slot): Promise<number> {
    return this.#operate(slot, "retire");
  }

  #retireDead(): void {
    for (const [tid, { owner, slot }] of this.#enabled) {
      if (isAlive(owner)) continue;
      this.#enabled.delete(tid);
      if (this.#slots.get(slot.instance.id) !== slot) {
        this.#handles.free(slot.instance.id);
        continue;
      }
      slot.turn = slot.turn.then(() => slot.instance.owner === owner ? this.#retire(slot) : 0);
    }
  }

  /** Whole pages, as the kernel reads them when the client touches them, or calls read(2). */
  read(id: number, range: { offset: number; size: number }): Uint8Array | Promise<Uint8Array> {
    const slot = this.#slot(id);
    const { area } = slot.instance;
    if (!area) throw new Refusal("EINVAL");
    if (range.offset >= abi.PAGE_SIZE) return this.#readAbove(slot, range);
    return new Promise((resolve) => {
      slot.reads.push({ ...range, resolve });
      this.#dispatch({ kind: "read", line: id });
    });
  }

  /** Pages above page 0 need no protocol: what they lack is stored before page 0 is answered. */
  #readAbove(slot: Slot, range: { offset: number; size: number }): Uint8Array {
    const area = slot.instance.area!;
    const first = range.offset / abi.PAGE_SIZE;
    const last = Math.ceil((range.offset + range.size) / abi.PAGE_SIZE) - 1;
    for (let page = first; page <= last; page++) area.markCached(page);
    slot.ahead = first === slot.nextPage ? Math.min(Math.max(1, slot.ahead * 2), MOST_AHEAD) : 0;
    slot.nextPage = last + 1;
    if (slot.ahead > 0) this.#storeAhead(slot, last + 1);
    return area.read(range.offset, range.size);
  }

  /**
   * Spares a client that goes through a large area (a memset, mostly) a fault for each page: pages that
   * the cache cannot hold are stored there before they are touched.
   */
  #storeAhead(slot: Slot, from: number): void {
    const area = slot.instance.area!;
    const end = Math.min(from + slot.ahead, Math.floor(area.size / abi.PAGE_SIZE));
    let to = from;
    while (to < end && !area.isCached(to)) area.markCached(to++);
    if (to === from) return;
    slot.nextPage = to;
    const data = area.read(from * abi.PAGE_SIZE, (to - from) * abi.PAGE_SIZE);
    this.#cache.store(slot.instance.id, from * abi.PAGE_SIZE, data);
  }

  /** What the kernel writes back of the client's stores. `read`: see {@linkcode Area.write}. */
  write(id: number, data: { offset: number; bytes: Uint8Array; read: number }): void {
    const area = this.#slots.get(id)?.instance.area;
    if (area?.write(data.offset, data.bytes, data)) this.#dispatch({ kind: "reset", line: id });
  }

  /** Runs the protocol until it has nothing left to do now; events of its own effects queue up. */
  #dispatch(event: Event): void {
    this.#events.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        const { state, effects } = step(this.#coherence, next, microseconds());
        if (this.#options.log?.enabled) this.#options.log(formatStep(next, effects));
        this.#coherence = state;
        for (const effect of effects) this.#carryOut(effect);
      }
    } finally {
      this.#isStepping = false;
    }
  }

  #carryOut(effect: Effect): void {
    if (effect.kind === "stop") return this.#stop(effect);
    if (effect.kind === "release") return this.#source.release(effect.units);
    if (effect.kind === "patience") {
      const { serial, ms } = effect;
      setTimeout(() => this.#dispatch({ kind: "impatient", serial }), ms).unref();
      return;
    }
    const { line } = effect;
    const slot = this.#slots.get(line);
    if (!slot) return;
    switch (effect.kind) {
      case "store":
        return this.#store(slot);
      case "answer":
        return answer(slot);
      case "wait": {
        // Not before the READ is answered in full, which the drop would wait for.
        const call = () => this.#dispatch({ kind: "elapsed", line, timer: effect.timer });
        if (effect.us < SHORTEST_WAIT) setImmediate(call);
        else this.#timer.after(effect.us, call);
        return;
      }
      case "grace":
        setTimeout(() => this.#dispatch({ kind: "stalled", line, drop: effect.drop }), STALL);
        return;
      case "drop":
        this.#cache.invalInode(line, { offset: 0, length: abi.PAGE_SIZE }).then(() =>
          this.#dispatch({ kind: "dropped", line, drop: effect.drop })
        );
        return;
      case "perform":
        return this.#perform(slot);
    }
  }

  #stop({ run, units, serial }: Effect & { kind: "stop" }): void {
    this.#source.stop({ run, units }).then((executed) => {
      const gained = new Set<number>();
      for (const [id, { instance: { state } }] of this.#slots) {
        if (state.kind !== "enabled") continue;
        for (const { target, pcs } of executed) {
          if (inScope(state.scope, target) && state.area.append(pcs) > 0) gained.add(id);
        }
      }
      this.#dispatch({ kind: "stopped", serial, gained });
    });
  }

  #store(slot: Slot): void {
    const { id, area } = slot.instance;
    const stretch = area?.takeStretch();
    if (!stretch) return this.#dispatch({ kind: "stored", line: id });
    this.#cache.store(id, stretch.offset, stretch.data).then(() => {
      area!.stretchStored(this.#cache.reads);
      this.#dispatch({ kind: "stored", line: id });
    });
  }
}

function answer(slot: Slot): void {
  const { reads } = slot;
  slot.reads = [];
  for (const { offset, size, resolve } of reads) resolve(slot.instance.area!.read(offset, size));
}
