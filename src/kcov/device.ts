import { ALL_UNITS } from "../units.ts";
import * as abi from "./abi.ts";
import { Instance, Refusal, type Scope } from "./instance.ts";
import type { LineScope, Operation } from "./line.ts";
import { findOwner, isAlive, type Owner } from "./owner.ts";
import type { PageCache } from "./page_cache.ts";
import { ProtocolDriver, type StepLog } from "./protocol_driver.ts";
import { ReadAhead } from "./read_ahead.ts";
import { HandleTable, readRemoteArg, scopeOf } from "./remote.ts";
import type { Enabling, Slot } from "./slot.ts";
import type { Source } from "./source.ts";

/** What a device may say. */
export interface DeviceOptions {
  readonly log?: StepLog;
  /** How often owners are looked for, in ms: no message tells that a thread has ended. @default {100} */
  readonly sweep?: number;
  /** Called after an instance was enabled, or given back. */
  readonly onChange?: () => void;
}

interface Call {
  readonly cmd: number;
  readonly arg: bigint;
  /** What `arg` points to, where the ioctl's number says that it does. */
  readonly data?: Uint8Array;
  readonly tid: number;
}

/**
 * The kcov device: instances, their ioctls and their owners, and what they bring to the coherence
 * protocol. It knows the page cache and the targets by the two interfaces it is given.
 */
export class Device implements AsyncDisposable {
  readonly #source: Source;
  readonly #cache: PageCache;
  readonly #options: DeviceOptions;
  readonly #slots = new Map<number, Slot>();
  /** The instance that a thread has enabled, which outlives the instance's last descriptor. */
  readonly #enabled = new Map<number, { owner: Owner; slot: Slot }>();
  readonly #handles = new HandleTable();
  readonly #driver: ProtocolDriver;
  readonly #sweep: NodeJS.Timeout;

  constructor(source: Source, cache: PageCache, options: DeviceOptions = {}) {
    this.#source = source;
    this.#cache = cache;
    this.#options = options;
    this.#driver = new ProtocolDriver(this.#slots, {
      source,
      cache,
      log: options.log,
      perform: (slot) => this.#perform(slot),
    });
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
      above: new ReadAhead(id, this.#cache),
    });
  }

  isOpen(id: number): boolean {
    return this.#slots.has(id);
  }

  /** The last descriptor and the last mapping are gone. */
  release(id: number): void {
    this.#slots.delete(id);
    this.#driver.dispatch({ kind: "closed", line: id });
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
      this.#driver.dispatch({ kind: "operate", line, operation, ...(scope && { scope }) });
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
      this.#driver.dispatch({ kind: "rescope", line, scope: this.#lineScope(scope) });
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
    if (range.offset >= abi.PAGE_SIZE) return slot.above.read(area, range);
    return new Promise((resolve) => {
      slot.reads.push({ ...range, resolve });
      this.#driver.dispatch({ kind: "read", line: id });
    });
  }

  /** What the kernel writes back of the client's stores. `read`: see {@linkcode Area.write}. */
  write(id: number, data: { offset: number; bytes: Uint8Array; read: number }): void {
    const area = this.#slots.get(id)?.instance.area;
    if (area?.write(data.offset, data.bytes, data)) {
      this.#driver.dispatch({ kind: "reset", line: id });
    }
  }
}
