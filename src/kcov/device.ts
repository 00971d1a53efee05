import { ALL_UNITS } from "../units.ts";
import * as abi from "./abi.ts";
import type { AreaFile } from "./area_file.ts";
import type { AreaKeeper, Enabling, ReadRange } from "./area_keeper.ts";
import { CALLERS, type Callers, isCalling } from "./callers.ts";
import { type Client, findClient } from "./client.ts";
import { CoherentAreas } from "./coherent_areas.ts";
import { type Counts, noCounts } from "./counts.ts";
import { DirectAreas } from "./direct_areas.ts";
import { formatCall } from "./format_call.ts";
import { type Instance, Refusal, type Scope } from "./instance.ts";
import { type InstanceStatus, instanceStatus } from "./instance_status.ts";
import type { Operation } from "./line.ts";
import type { Owner } from "./owner.ts";
import type { PageCache } from "./page_cache.ts";
import type { StepLog } from "./protocol_driver.ts";
import { HandleTable, readRemoteArg, scopeOf } from "./remote.ts";
import type { Source } from "./source.ts";

/** What a device may say. */
export interface DeviceOptions {
  readonly log?: StepLog | undefined;
  /** How often owners are looked for, in ms: no message tells that a thread has ended. @default {100} */
  readonly sweep?: number;
  /** Called after an instance was enabled, or given back. */
  readonly onChange?: () => void;
  /**
   * Asked when the first instance is opened: what makes a file for each area, where targets write into the
   * areas themselves.
   */
  readonly files?: () => (() => AreaFile) | undefined;
  /** What happens to instances is added to this, as far as it is seen. */
  readonly total?: Counts;
  /** @default {CALLERS} */
  readonly callers?: Callers | undefined;
}

interface Call {
  readonly cmd: number;
  readonly arg: bigint;
  /** What `arg` points to, where the ioctl's number says that it does. */
  readonly data?: Uint8Array;
  readonly tid: number;
}

/** Bytes of one read: the kernel asks for no more than the pages that were agreed on, which are fewer. */
const MOST_BYTES = 1024 * 1024;

/** An instance that is open. */
interface Opened {
  readonly instance: Instance;
  readonly opener: Client | undefined;
  /** ioctls on one instance follow each other, as under `kcov->lock`. */
  turn: Promise<unknown>;
}

/**
 * The kcov device: instances, their ioctls and their owners. What comes into their areas is the
 * {@linkcode AreaKeeper}'s. It knows the page cache and the targets by the interfaces it is given.
 */
export class Device implements AsyncDisposable {
  readonly #source: Source;
  readonly #cache: PageCache;
  readonly #options: DeviceOptions;
  readonly #opened = new Map<number, Opened>();
  /** The instance that a thread has enabled, which outlives the instance's last descriptor. */
  readonly #enabled = new Map<number, { owner: Owner; opened: Opened }>();
  readonly #callers: Callers;
  readonly #handles = new HandleTable((owner) => isCalling(this.#callers, owner));
  #direct: DirectAreas | undefined;
  #keeper: AreaKeeper | undefined;
  readonly #sweep: NodeJS.Timeout;

  constructor(source: Source, cache: PageCache, options: DeviceOptions = {}) {
    this.#source = source;
    this.#cache = cache;
    this.#options = options;
    this.#callers = options.callers ?? CALLERS;
    this.#sweep = setInterval(() => this.#retireDead(), options.sweep ?? 100).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweep);
    this.#source.release(ALL_UNITS);
    await this.#keeper?.[Symbol.asyncDispose]();
  }

  get #areas(): AreaKeeper {
    return this.#keeper ??= this.#makeKeeper();
  }

  #makeKeeper(): AreaKeeper {
    const { files, log, total = noCounts() } = this.#options;
    const carryOut = (id: number, operation: Operation, enabling?: Enabling) =>
      this.#carryOut(id, operation, enabling);
    const common = { source: this.#source, carryOut };
    const makeFile = files?.();
    this.#direct = makeFile && new DirectAreas({ ...common, makeFile, log });
    return this.#direct ?? new CoherentAreas({ ...common, cache: this.#cache, log, total });
  }

  /** The instances that are open. */
  get instances(): Instance[] {
    return [...this.#opened.values()].map(({ instance }) => instance);
  }

  /** Those, and others that their owners still trace. */
  get statuses(): InstanceStatus[] {
    const enabled = [...this.#enabled.values()].map(({ opened }) => opened);
    return [...new Set([...this.#opened.values(), ...enabled])].flatMap(({ instance, opener }) => {
      const measured = this.#areas.measure(instance.id);
      return measured ? [instanceStatus(instance, { measured, opener })] : [];
    });
  }

  /**
   * @param id The node id, which must be new: an inode is an area.
   * @param scope What KCOV_ENABLE makes it be told of. @default {"all"}
   * @param options `tid`: the thread that opens it.
   * @returns the area's file, if it has one.
   */
  open(id: number, scope: Scope = "all", options: { tid?: number } = {}): AreaFile | undefined {
    const instance = this.#areas.open(id, scope);
    const opener = options.tid === undefined ? undefined : findClient(options.tid);
    this.#opened.set(id, { instance, opener, turn: Promise.resolve() });
    return this.#direct?.fileOf(id);
  }

  isOpen(id: number): boolean {
    return this.#opened.has(id);
  }

  /** The last descriptor and the last mapping are gone; where areas are files, the last descriptor. */
  release(id: number): void {
    this.#opened.delete(id);
    this.#areas.close(id);
    this.#options.onChange?.();
  }

  /** The size of an instance's file in bytes; undefined before KCOV_INIT_TRACE. */
  size(id: number): number | undefined {
    return this.#opened.get(id)?.instance.area?.size;
  }

  /** @returns 0, or a negative errno, which may be below -511. */
  ioctl(id: number, call: Call): Promise<number> {
    const opened = this.#opened.get(id);
    if (!opened) throw new Refusal("EIO");
    const { log } = this.#options;
    const say = (what: string) => log?.enabled && log(`n${id}: ${formatCall(call)} ${what}`);
    say(`by thread ${call.tid}`);
    const result = opened.turn.then(() => this.#ioctl(opened, call)).then(() => {
      say("is done");
      return 0;
    }, (error) => {
      if (!(error instanceof Refusal)) throw error;
      say(`is ${error.message}`);
      return -error.errno;
    });
    opened.turn = result.catch(() => {});
    return result;
  }

  async #ioctl(opened: Opened, call: Call): Promise<void> {
    const { instance } = opened;
    // It was closed before its turn, and another may be open under its number.
    if (this.#opened.get(instance.id) !== opened) throw new Refusal("EIO");
    switch (call.cmd) {
      case abi.KCOV_INIT_TRACE:
        instance.checkInitialize(call.arg);
        return await this.#areas.initialize(instance.id, call.arg);
      case abi.KCOV_ENABLE:
        return await this.#enable(opened, call);
      case abi.KCOV_DISABLE:
        instance.checkOwned(call.tid, call.arg);
        return await this.#areas.operate(instance.id, "disable");
      case abi.KCOV_RESET_TRACE:
        instance.checkOwned(call.tid, call.arg);
        return await this.#areas.operate(instance.id, "reset");
      case abi.KCOV_REMOTE_ENABLE:
        return await this.#enableRemote(opened, call);
      default:
        throw new Refusal("ENOTTY");
    }
  }

  async #enable({ instance }: Opened, call: Call): Promise<void> {
    const wanted = { mode: call.arg, scope: instance.fileScope, tid: call.tid };
    await this.#areas.operate(instance.id, "enable", await this.#checkEnable(instance, wanted));
  }

  async #enableRemote({ instance }: Opened, call: Call): Promise<void> {
    const remote = await readRemoteArg(call, this.#callers);
    const wanted = { mode: remote.mode, scope: scopeOf(remote), tid: call.tid };
    const enabling = await this.#checkEnable(instance, wanted);
    this.#handles.take(remote, { node: instance.id, owner: enabling.owner });
    try {
      await this.#areas.operate(instance.id, "enable", enabling);
    } catch (error) {
      this.#handles.free(instance.id);
      throw error;
    }
  }

  async #checkEnable(
    instance: Instance,
    { mode, scope, tid }: { mode: bigint; scope: Scope; tid: number },
  ): Promise<Enabling> {
    const current = instance.owner;
    if (current && !this.#isAlive(current)) await this.#retire(instance);
    const mine = this.#enabled.get(tid);
    const isBusy = mine !== undefined && this.#isAlive(mine.owner);
    const canCompare = this.#source.canCompare(scope);
    const checked = instance.checkEnable(mode, { isBusy, canCompare });
    const owner = this.#callers.find(tid);
    if (!owner) throw new Refusal("EINVAL");
    return { owner, scope, mode: checked };
  }

  /**
   * Has all targets collected from now, for whoever reads along at the source: what they have executed is in
   * the areas of those who trace then, as always.
   */
  async refresh(): Promise<void> {
    await this.#areas.refresh();
  }

  /**
   * Targets have come to other units than their numbers were in before: to be called when none of
   * these units is held, and before the targets run.
   */
  regroup(): void {
    this.#keeper?.regroup();
  }

  /** Whether anybody has a target's own file open. */
  isNamed(target: number): boolean {
    return this.instances.some(({ fileScope }) => fileScope !== "all" && fileScope.has(target));
  }

  #carryOut(id: number, operation: Operation, enabling: Enabling | undefined): void {
    const opened = this.#opened.get(id) ?? this.#closedButEnabled(id);
    const instance = opened?.instance;
    if (!instance) return;
    if (operation === "enable") {
      instance.enable(enabling!);
      this.#enabled.set(enabling!.owner.tid, { owner: enabling!.owner, opened: opened! });
    } else if (operation === "reset") {
      instance.area!.reset();
    } else if (instance.owner) {
      const { tid } = instance.owner;
      if (this.#enabled.get(tid)?.opened === opened) this.#enabled.delete(tid);
      this.#handles.free(id);
      instance.disable();
    }
    if (operation !== "reset") this.#options.onChange?.();
  }

  #closedButEnabled(id: number): Opened | undefined {
    return [...this.#enabled.values()].find(({ opened }) => opened.instance.id === id)?.opened;
  }

  /** The owner is dead: what it caused is collected, and the instance can be enabled anew. */
  #retire(instance: Instance): Promise<void> {
    return this.#areas.operate(instance.id, "retire");
  }

  #isAlive(owner: Owner): boolean {
    return isCalling(this.#callers, owner);
  }

  #retireDead(): void {
    for (const [tid, { owner, opened }] of this.#enabled) {
      if (this.#isAlive(owner)) continue;
      const { instance } = opened;
      const isOpen = this.#opened.get(instance.id) === opened;
      if (!isOpen && !this.#direct) {
        this.#enabled.delete(tid);
        this.#handles.free(instance.id);
        continue;
      }
      // It may be closed by then. Until it is given back it is known by its thread.
      opened.turn = opened.turn.then(() =>
        instance.owner === owner ? this.#retire(instance) : undefined
      ).catch(() => {});
    }
  }

  /** Whole pages, as the kernel reads them when the client touches them, or calls read(2). */
  read(id: number, { offset, size }: ReadRange): Uint8Array | Promise<Uint8Array> {
    return this.#areas.read(id, { offset, size: Math.min(size, MOST_BYTES) });
  }

  /** What the kernel writes back of the client's stores. `read`: see {@linkcode Area.write}. */
  write(id: number, data: { offset: number; bytes: Uint8Array; read: number }): void {
    this.#areas.write(id, data);
  }
}
