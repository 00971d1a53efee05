import { ALL_UNITS } from "./coherence/unit.ts";
import * as abi from "./abi.ts";
import type { AreaFile } from "./area_keeper.ts";
import type { AreaKeeper, Enabling, ReadRange } from "./area_keeper.ts";
import type { Callers, Owner } from "./callers.ts";
import type { Client } from "./callers.ts";
import { CoherentAreas } from "./coherent_areas.ts";
import { type Counts, noCounts } from "./meter.ts";
import { DirectAreas } from "./direct_areas.ts";
import { formatCall } from "./debug_lines.ts";
import { type Instance, Refusal, type Scope } from "./instance.ts";
import { type InstanceStatus, instanceStatus } from "./instance_status.ts";
import type { Operation } from "./coherence/page0.ts";
import type { PageCache } from "./page_cache.ts";
import type { StepLog } from "./protocol_driver.ts";
import { HandleTable, readRemoteArg, scopeOf } from "./remote.ts";
import type { Source } from "./source.ts";

/** How a device is set up. */
export interface DeviceOptions {
  /** It does not outlive the device. */
  readonly callers: Callers;
  readonly log?: StepLog | undefined;
  /** Takes what whoever runs the server should know, a line each. */
  readonly warn?: ((line: string) => void) | undefined;
  /** Called after an instance was enabled, or given back. */
  readonly onChange?: () => void;
  /**
   * Asked when the first instance is opened: what makes a file for each area, where targets write into the
   * areas themselves.
   */
  readonly files?: () => (() => AreaFile) | undefined;
  /** What happens to instances is added to this, as far as it is seen. */
  readonly total?: Counts;
}

interface Call {
  readonly cmd: number;
  readonly arg: bigint;
  /** What `arg` points to, where the ioctl's number says that it does. */
  readonly data?: Uint8Array;
  readonly tid: number;
}

/**
 * ms that a thread which is in the way is given to end: whoever joins it goes on before the kernel tells
 * others of its end (`exit_mm_release` comes before `exit_notify` in `kernel/exit.c`).
 */
const GRACE = 50;
/** Bytes of one read: the kernel asks for no more than the pages that were agreed on, which are fewer. */
const MOST_BYTES = 1024 * 1024;

/** An instance that is open. */
interface Opened {
  readonly instance: Instance;
  readonly opener: Promise<Client | undefined>;
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
  readonly #handles = new HandleTable();
  #direct: DirectAreas | undefined;
  #keeper: AreaKeeper | undefined;

  constructor(source: Source, cache: PageCache, options: DeviceOptions) {
    this.#source = source;
    this.#cache = cache;
    this.#options = options;
    this.#callers = options.callers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { owner } of this.#enabled.values()) owner[Symbol.dispose]();
    this.#source.release(ALL_UNITS);
    await this.#keeper?.[Symbol.asyncDispose]();
  }

  get #areas(): AreaKeeper {
    return this.#keeper ??= this.#makeKeeper();
  }

  #makeKeeper(): AreaKeeper {
    const { files, log, total = noCounts(), warn = () => {} } = this.#options;
    const carryOut = (id: number, operation: Operation, enabling?: Enabling) =>
      this.#carryOut(id, operation, enabling);
    const common = { source: this.#source, carryOut };
    const makeFile = files?.();
    this.#direct = makeFile && new DirectAreas({ ...common, makeFile, log, warn });
    return this.#direct ?? new CoherentAreas({ ...common, cache: this.#cache, log, total });
  }

  /** The instances that are open. */
  get instances(): Instance[] {
    return [...this.#opened.values()].map(({ instance }) => instance);
  }

  /** What is told of those, and of others that their owners still trace. */
  async statuses(): Promise<InstanceStatus[]> {
    const enabled = [...this.#enabled.values()].map(({ opened }) => opened);
    const known = [...new Set([...this.#opened.values(), ...enabled])];
    const clients = await Promise.all(known.map((opened) => this.#clientOf(opened)));
    return known.flatMap(({ instance }, i) => {
      const measured = this.#areas.measure(instance.id);
      return measured ? [instanceStatus(instance, { measured, client: clients[i] })] : [];
    });
  }

  async #clientOf({ instance: { owner }, opener }: Opened): Promise<Client | undefined> {
    return (owner && await this.#callers.nameOf(owner.tid)) ?? await opener;
  }

  /**
   * @param id The node id, which must be new: an inode is an area.
   * @param scope What KCOV_ENABLE makes it be told of. @default {"all"}
   * @param options `tid`: the thread that opens it.
   * @returns the area's file, if it has one.
   */
  open(id: number, scope: Scope = "all", options: { tid?: number } = {}): AreaFile | undefined {
    const instance = this.#areas.open(id, scope);
    const opener = options.tid === undefined
      ? Promise.resolve(undefined)
      : this.#callers.nameOf(options.tid);
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
    this.#checkOpen(opened);
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

  async #enable(opened: Opened, call: Call): Promise<void> {
    const { instance } = opened;
    const wanted = { mode: call.arg, scope: instance.fileScope, tid: call.tid };
    await this.#carryThrough(opened, await this.#checkEnable(opened, wanted));
  }

  async #enableRemote(opened: Opened, call: Call): Promise<void> {
    const { instance } = opened;
    const remote = await readRemoteArg(call, this.#callers);
    const wanted = { mode: remote.mode, scope: scopeOf(remote), tid: call.tid };
    const enabling = await this.#checkEnable(opened, wanted);
    const { owner } = enabling;
    for (const holder of this.#handles.holdersOf(remote)) await this.#isGone(holder, call.tid);
    try {
      this.#handles.take(remote, { node: instance.id, owner });
    } catch (error) {
      owner[Symbol.dispose]();
      throw error;
    }
    await this.#carryThrough(opened, enabling);
  }

  /** What waits may be closed meanwhile, and another be open under its number. */
  #checkOpen(opened: Opened): void {
    if (this.#opened.get(opened.instance.id) !== opened) throw new Refusal("EIO");
  }

  async #carryThrough(opened: Opened, enabling: Enabling): Promise<void> {
    const { id } = opened.instance;
    try {
      this.#checkOpen(opened);
      await this.#areas.operate(id, "enable", enabling);
    } catch (error) {
      this.#handles.free(id);
      enabling.owner[Symbol.dispose]();
      throw error;
    }
  }

  async #checkEnable(
    opened: Opened,
    { mode, scope, tid }: { mode: bigint; scope: Scope; tid: number },
  ): Promise<Enabling> {
    const { instance } = opened;
    const current = instance.owner;
    if (current && await this.#isGone(current, tid)) await this.#retire(instance);
    const mine = this.#enabled.get(tid)?.owner;
    const isBusy = mine !== undefined && !await this.#isGone(mine, tid);
    const canCompare = this.#source.canCompare(scope);
    const checked = instance.checkEnable(mode, { isBusy, canCompare });
    return { owner: await this.#findOwner(opened, tid), scope, mode: checked };
  }

  async #findOwner(opened: Opened, tid: number): Promise<Owner> {
    let owner: Owner | undefined;
    try {
      owner = await this.#callers.find(tid, () => this.#ownerEnded(opened, owner!));
    } catch (error) {
      const { message } = error as Error;
      this.#options.warn?.(`Cannot enable an instance for thread ${tid}: ${message}`);
      throw new Refusal("ENOMEM");
    }
    if (!owner) throw new Refusal("EINVAL");
    return owner;
  }

  /** Whether a thread that is in the way of another has ended, or is about to. */
  async #isGone(owner: Owner, caller: number): Promise<boolean> {
    await owner.look();
    if (owner.tid === caller) return owner.hasEnded;
    const deadline = performance.now() + GRACE;
    while (!owner.hasEnded && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return owner.hasEnded;
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
      this.#forgetOwner(opened!, instance.owner);
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

  /** A thread has ended that has enabled an instance, or is about to have. */
  #ownerEnded(opened: Opened, owner: Owner): void {
    const { instance } = opened;
    opened.turn = opened.turn.then(async () => {
      if (instance.owner !== owner) return;
      const isOpen = this.#opened.get(instance.id) === opened;
      if (isOpen || this.#direct) await this.#retire(instance);
      else this.#forgetOwner(opened, owner);
    }).catch(() => {});
  }

  #forgetOwner(opened: Opened, owner: Owner): void {
    if (this.#enabled.get(owner.tid)?.opened === opened) this.#enabled.delete(owner.tid);
    this.#handles.free(opened.instance.id);
    owner[Symbol.dispose]();
  }

  /** Whole pages, as the kernel reads them when the client touches them, or calls read(2). */
  read(id: number, range: ReadRange): Uint8Array | Promise<Uint8Array> {
    return this.#areas.read(id, { ...range, size: Math.min(range.size, MOST_BYTES) });
  }

  /** What the kernel writes back of the client's stores. `read`: see {@linkcode Area.write}. */
  write(id: number, data: { offset: number; bytes: Uint8Array; read: number }): void {
    this.#areas.write(id, data);
  }
}
