import * as abi from "./abi.ts";
import type { AreaKeeper, MakeFile, ReadRange } from "./area_keeper.ts";
import type { Callers, Client, Owner } from "./callers.ts";
import { ALL_UNITS } from "./coherence/unit.ts";
import { CoherentAreas } from "./coherent_areas.ts";
import { EnabledAreas } from "./enabled_areas.ts";
import { formatCall } from "./debug_lines.ts";
import { type Enabling, type Instance, Refusal } from "./instance.ts";
import { type InstanceStatus, instanceStatus } from "./instance_status.ts";
import { type Counts, noCounts } from "./meter.ts";
import type { PageCache } from "./page_cache.ts";
import { PassthroughAreas } from "./passthrough_areas.ts";
import type { StepLog } from "./protocol_driver.ts";
import { HandleTable, readRemoteArg, scopeOf } from "./remote.ts";
import { inScope, type Scope, type Source } from "./source.ts";
import type { Reporter } from "../base/reporter.ts";
import type { NodeId } from "../fuse/mod.ts";
import type { TargetId } from "./ids.ts";
import type { ThreadId } from "../base/thread_id.ts";

export interface DeviceOptions {
  /** It does not outlive the device. */
  readonly callers: Callers;
  readonly log?: StepLog | undefined;
  /** Takes lines for the person who runs the server. */
  readonly reporter?: Reporter | undefined;
  /** Called when an instance is opened: returns the maker of area files, if the kernel can map those. */
  readonly files?: () => MakeFile | undefined;
  /** Counts the events of all instances, if they are seen. */
  readonly total?: Counts;
}

interface Call {
  readonly cmd: number;
  readonly arg: bigint;
  /** The structure that `arg` points to, if the ioctl's number says that it points to one. */
  readonly data?: Uint8Array;
  readonly tid: ThreadId;
}

/**
 * ms for a thread that is in the way to end. Whoever joins it goes on before the kernel tells
 * others of its end (`exit_mm_release` comes before `exit_notify` in `kernel/exit.c`).
 */
const GRACE = 50;
/** Bytes of one read: the kernel never asks for more than the agreed pages, which are fewer. */
const MOST_BYTES = 1024 * 1024;

/**
 * The kcov device: instances, their ioctls and their owners. Each instance gets an {@linkcode AreaKeeper}
 * when it is opened, which fills its area: areas are files if all targets that the instance can trace write
 * themselves. The device knows the page cache and the targets only by the interfaces that it is given.
 */
export class Device implements AsyncDisposable {
  readonly #source: Source;
  readonly #options: DeviceOptions;
  /** The instances that are open, by their nodes. */
  readonly #instances = new Map<NodeId, Instance>();
  /** By threads: the instance that each has enabled; it outlives the instance's last descriptor. */
  readonly #owned = new Map<ThreadId, Instance>();
  readonly #callers: Callers;
  readonly #handles = new HandleTable();
  readonly #enabled: EnabledAreas;
  readonly #coherent: CoherentAreas;
  #passthrough: PassthroughAreas | undefined;

  constructor(source: Source, cache: PageCache, options: DeviceOptions) {
    this.#source = source;
    this.#options = options;
    this.#callers = options.callers;
    const enabled = this.#enabled = new EnabledAreas(source);
    const { log, total = noCounts() } = options;
    this.#coherent = new CoherentAreas({ source, cache, enabled, log, total });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { owner } of this.#owned.values()) owner?.[Symbol.dispose]();
    this.#source.release(ALL_UNITS);
    await this.#enabled.clear();
    this.#passthrough?.[Symbol.dispose]();
  }

  /** The keeper for an instance that is about to be opened. */
  #keeperFor(scope: Scope): AreaKeeper {
    if (!this.#source.canWrite(scope)) return this.#coherent;
    this.#passthrough ??= this.#makePassthrough();
    return this.#passthrough ?? this.#coherent;
  }

  #makePassthrough(): PassthroughAreas | undefined {
    const { files, log, reporter } = this.#options;
    const makeFile = files?.();
    return makeFile && new PassthroughAreas({ enabled: this.#enabled, makeFile, log, reporter });
  }

  /** The keeper of an instance. */
  #keeperOf({ file }: Instance): AreaKeeper {
    return file && this.#passthrough || this.#coherent;
  }

  /** The open instances. */
  get instances(): Instance[] {
    return [...this.#instances.values()];
  }

  /** The status of each instance that is open, or that its owner still traces. */
  async statuses(): Promise<InstanceStatus[]> {
    const known = [...new Set([...this.#instances.values(), ...this.#owned.values()])];
    const clients = await Promise.all(known.map((instance) => this.#clientOf(instance)));
    return known.flatMap((instance, i) => {
      const measured = this.#keeperOf(instance).measure(instance);
      return measured ? [instanceStatus(instance, { measured, client: clients[i] })] : [];
    });
  }

  async #clientOf({ owner, opener }: Instance): Promise<Client | undefined> {
    return (owner && await this.#callers.nameOf(owner.tid)) ?? await opener;
  }

  /**
   * @param id The node id: no open instance has it.
   * @param options `scope`: the targets that KCOV_ENABLE makes it trace. `tid`: the thread that opens it, if
   * its process is to be known.
   * @throws {Refusal} ENOMEM if there is no memory for it.
   */
  open(id: NodeId, { scope, tid }: { scope: Scope; tid?: ThreadId }): Instance {
    const instance = this.#keeperFor(scope).open({ id, scope });
    if (tid !== undefined) instance.opener = this.#callers.nameOf(tid);
    this.#instances.set(id, instance);
    return instance;
  }

  /** The instance of a node, while it is open. */
  find(id: NodeId): Instance | undefined {
    return this.#instances.get(id);
  }

  /** @throws {Refusal} EIO for a node that nobody has open. */
  #get(id: NodeId): Instance {
    const instance = this.#instances.get(id);
    if (!instance) throw new Refusal("EIO");
    return instance;
  }

  /** The last descriptor and the last mapping are gone; if areas are files, only the last descriptor. */
  release(id: NodeId): void {
    const instance = this.#get(id);
    this.#instances.delete(id);
    instance.isOpen = false;
    this.#keeperOf(instance).close(instance);
  }

  /** @returns 0, or a negative errno, which may be below -511. */
  ioctl(id: NodeId, call: Call): Promise<number> {
    const instance = this.#get(id);
    const { log } = this.#options;
    const say = (what: string) => log?.enabled && log(`n${id}: ${formatCall(call)} ${what}`);
    say(`by thread ${call.tid}`);
    const result = instance.turn.then(() => this.#ioctl(instance, call)).then(() => {
      say("is done");
      return 0;
    }, (error) => {
      if (!(error instanceof Refusal)) throw error;
      say(`is ${error.message}`);
      return -error.errno;
    });
    instance.turn = result.catch(() => {});
    return result;
  }

  async #ioctl(instance: Instance, call: Call): Promise<void> {
    checkOpen(instance);
    switch (call.cmd) {
      case abi.KCOV_INIT_TRACE:
        instance.checkInitialize(call.arg);
        return await this.#keeperOf(instance).initialize(instance, call.arg);
      case abi.KCOV_ENABLE:
        return await this.#enable(instance, call);
      case abi.KCOV_DISABLE:
        return await this.#disable(instance, call);
      case abi.KCOV_RESET_TRACE:
        instance.checkOwned(call.tid, call.arg);
        return await this.#keeperOf(instance).change(instance, { operation: "reset" });
      case abi.KCOV_REMOTE_ENABLE:
        return await this.#enableRemote(instance, call);
      default:
        throw new Refusal("ENOTTY");
    }
  }

  async #enable(instance: Instance, call: Call): Promise<void> {
    const wanted = { mode: call.arg, scope: instance.fileScope, tid: call.tid };
    await this.#carryThrough(instance, await this.#checkEnable(instance, wanted));
  }

  async #enableRemote(instance: Instance, call: Call): Promise<void> {
    const remote = await readRemoteArg(call, this.#callers);
    const wanted = { mode: remote.mode, scope: scopeOf(remote), tid: call.tid };
    const enabling = await this.#checkEnable(instance, wanted);
    const { owner } = enabling;
    for (const holder of this.#handles.holdersOf(remote)) await this.#isGone(holder, call.tid);
    try {
      this.#handles.take(remote, { instance, owner });
    } catch (error) {
      owner[Symbol.dispose]();
      throw error;
    }
    await this.#carryThrough(instance, enabling);
  }

  async #carryThrough(instance: Instance, enabling: Enabling): Promise<void> {
    try {
      checkOpen(instance);
      await this.#keeperOf(instance).change(instance, { operation: "enable", enabling });
    } catch (error) {
      this.#handles.free(instance);
      enabling.owner[Symbol.dispose]();
      throw error;
    }
    this.#owned.set(enabling.owner.tid, instance);
  }

  async #disable(instance: Instance, { tid, arg }: Call): Promise<void> {
    instance.checkOwned(tid, arg);
    const { owner } = instance;
    await this.#keeperOf(instance).change(instance, { operation: "disable" });
    if (owner) this.#forgetOwner(instance, owner);
  }

  async #checkEnable(
    instance: Instance,
    { mode, scope, tid }: { mode: bigint; scope: Scope; tid: ThreadId },
  ): Promise<Enabling> {
    const current = instance.owner;
    if (current && await this.#isGone(current, tid)) await this.#retire(instance, current);
    const mine = this.#owned.get(tid)?.owner;
    const isBusy = mine !== undefined && !await this.#isGone(mine, tid);
    const canCompare = this.#source.canCompare(scope);
    const checked = instance.checkEnable(mode, { isBusy, canCompare });
    return { owner: await this.#findOwner(instance, tid), scope, mode: checked };
  }

  async #findOwner(instance: Instance, tid: ThreadId): Promise<Owner> {
    let owner: Owner | undefined;
    try {
      owner = await this.#callers.find(tid, () => this.#ownerEnded(instance, owner));
    } catch (error) {
      const { message } = error as Error;
      this.#options.reporter?.warn(`Cannot enable an instance for thread ${tid}: ${message}`);
      throw new Refusal("ENOMEM");
    }
    if (!owner) throw new Refusal("EINVAL");
    return owner;
  }

  /** Whether a thread that is in the way of another has ended, or is about to. */
  async #isGone(owner: Owner, caller: ThreadId): Promise<boolean> {
    await owner.look();
    if (owner.tid === caller) return owner.hasEnded;
    const deadline = performance.now() + GRACE;
    while (!owner.hasEnded && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return owner.hasEnded;
  }

  /**
   * Collects from all targets now, for whoever reads along at the source. As always, what the targets have
   * executed comes into the areas of the instances that trace them.
   */
  async refresh(): Promise<void> {
    await this.#coherent.refresh();
  }

  /**
   * Targets have moved to other units than their numbers were in before. Call this while none of
   * these units is held, and before the targets run.
   */
  regroup(): void {
    this.#coherent.regroup();
  }

  /** The number of instances that do not see a target without probes, because their areas are files. */
  blindTo(target: TargetId): number {
    const known = new Set([...this.#instances.values(), ...this.#owned.values()]);
    return [...known].filter(({ file, scope }) => file && inScope(scope, target)).length;
  }

  /** Whether anybody has a target's own file open. */
  isNamed(target: TargetId): boolean {
    return this.instances.some(({ fileScope }) => fileScope !== "all" && fileScope.has(target));
  }

  /** The owner is dead: collects what it caused; then the instance can be enabled anew. */
  async #retire(instance: Instance, owner: Owner): Promise<void> {
    try {
      await this.#keeperOf(instance).change(instance, { operation: "retire" });
    } finally {
      this.#forgetOwner(instance, owner);
    }
  }

  /** A thread has ended that has enabled an instance, or that an ioctl under way is making its owner. */
  #ownerEnded(instance: Instance, owner: Owner | undefined): void {
    instance.turn = instance.turn.then(async () => {
      if (owner && instance.owner === owner) await this.#retire(instance, owner);
    }).catch(() => {});
  }

  #forgetOwner(instance: Instance, owner: Owner): void {
    if (this.#owned.get(owner.tid) === instance) this.#owned.delete(owner.tid);
    this.#handles.free(instance);
    owner[Symbol.dispose]();
  }

  /** Reads whole pages: the kernel asks for them when the client touches them, or calls read(2). */
  read(id: NodeId, range: ReadRange): Uint8Array | Promise<Uint8Array> {
    return this.#keeperOf(this.#get(id)).read(this.#get(id), {
      ...range,
      size: Math.min(range.size, MOST_BYTES),
    });
  }

  /** The kernel writes back a client's stores. `read`: see {@linkcode Area.write}. */
  write(id: NodeId, data: { offset: number; bytes: Uint8Array; read: number }): void {
    const instance = this.#instances.get(id);
    if (instance) this.#keeperOf(instance).write(instance, data);
  }
}

/** While an ioctl waits, its instance may be closed, and another be opened on the same node. */
function checkOpen({ isOpen }: Instance): void {
  if (!isOpen) throw new Refusal("EIO");
}
