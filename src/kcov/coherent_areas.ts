import * as abi from "./abi.ts";
import { Area } from "./area.ts";
import type { AreaKeeper, Measured, ReadRange } from "./area_keeper.ts";
import type { Operation, UnitScope } from "./coherence/page0.ts";
import { type Change, type Opening, Refusal } from "./instance.ts";
import type { Counts } from "./meter.ts";
import { CachedInstance, type DriverOptions, ProtocolDriver } from "./protocol_driver.ts";
import type { EnabledAreas } from "./enabled_areas.ts";
import type { Scope } from "./source.ts";
import { nodeId } from "../fuse/mod.ts";

export interface CoherentOptions extends DriverOptions {
  /** Counts the events of all instances. */
  readonly total: Counts;
  readonly enabled: EnabledAreas;
}

/** Pages above page 0 that are in the cache from the beginning: all of the usual area of 65,536 words. */
const FIRST_PAGES = 127;
/** The node id of no inode. */
const NOBODYS = nodeId(0);

/** Areas in the kernel's page cache; the coherence protocol keeps it equal to the server's copy. */
export class CoherentAreas implements AreaKeeper {
  readonly #options: CoherentOptions;
  readonly #driver: ProtocolDriver;
  /** Settled when no refresh is under way. */
  #refreshed: Promise<void> = Promise.resolve();

  constructor(options: CoherentOptions) {
    this.#options = options;
    this.#driver = new ProtocolDriver(options);
  }

  open(opening: Opening): CachedInstance {
    const instance = new CachedInstance(opening, this.#options);
    this.#driver.open(instance);
    return instance;
  }

  close(instance: CachedInstance): void {
    this.#driver.close(instance);
    this.#options.enabled.remove(instance);
  }

  /**
   * Storing the last word extends the file: without that, to touch a mapping of it is SIGBUS. The first pages
   * above page 0 are stored, too, so a client that goes through its area has no fault for each of them. This
   * cannot be done later: once the client can touch a page, a store that comes late would undo what it has
   * written there.
   */
  async initialize(instance: CachedInstance, words: bigint): Promise<void> {
    const area = new Area(Number(words));
    const end = Math.min(area.size, (1 + FIRST_PAGES) * abi.PAGE_SIZE);
    if (end > abi.PAGE_SIZE) await this.#store(instance, { from: abi.PAGE_SIZE, end });
    for (let page = 1; page * abi.PAGE_SIZE < end; page++) area.markCached(page);
    if (end < area.size || end <= abi.PAGE_SIZE) {
      await this.#store(instance, { from: area.size - abi.WORD_SIZE, end: area.size });
    }
    instance.initialize(words, area);
  }

  async #store(
    { id }: CachedInstance,
    { from, end }: { from: number; end: number },
  ): Promise<void> {
    const errno = await this.#options.cache.store(id, from, new Uint8Array(end - from));
    if (errno !== 0) throw new Refusal("EIO");
  }

  async change(instance: CachedInstance, change: Change): Promise<void> {
    checkOpen(instance);
    const { operation } = change;
    if (operation === "enable") {
      await this.#options.enabled.add(instance, change.enabling);
      checkOpen(instance);
    }
    await this.#operate(instance, { operation, change });
    if (operation === "disable" || operation === "retire") {
      await this.#options.enabled.remove(instance);
    }
  }

  /** Resolves when it is carried out, while the targets stand still. */
  #operate(
    instance: CachedInstance,
    { operation, change }: { operation: Operation; change: Change | undefined },
  ): Promise<void> {
    const { id: node } = instance;
    return new Promise((resolve, reject) => {
      instance.operations.push({ change, resolve, reject });
      const scope = change?.operation === "enable" && this.#unitScope(change.enabling.scope);
      this.#driver.dispatch({ kind: "operate", node, operation, ...(scope && { scope }) });
    });
  }

  #unitScope(scope: Scope): UnitScope {
    if (scope === "all") return scope;
    return [...new Set([...scope].map((target) => this.#options.source.unitOf(target)))];
  }

  /** Enables an instance that nobody has opened: all targets are collected from for it. */
  async refresh(): Promise<void> {
    this.#refreshed = this.#refreshed.then(async () => {
      const nobodys = this.open({ id: NOBODYS, scope: "all" });
      await this.#operate(nobodys, { operation: "enable", change: undefined });
      this.#driver.close(nobodys);
    });
    await this.#refreshed;
  }

  regroup(): void {
    for (const { id: node, nextScope } of this.#driver.instances) {
      if (nextScope === "all") continue;
      this.#driver.dispatch({ kind: "rescope", node, scope: this.#unitScope(nextScope) });
    }
  }

  /** Reads whole pages: the kernel asks for them when the client touches them, or calls read(2). */
  read(instance: CachedInstance, range: ReadRange): Uint8Array | Promise<Uint8Array> {
    const { id: node, area } = instance;
    if (!area) throw new Refusal("EINVAL");
    const end = range.isCall ? area.size : Math.ceil(area.size / abi.PAGE_SIZE) * abi.PAGE_SIZE;
    if (range.offset >= end) return new Uint8Array(0);
    const { offset } = range;
    const size = Math.min(range.size, end - offset);
    if (offset >= abi.PAGE_SIZE) {
      if (!range.isCall) markCached(area, { offset, size });
      return area.read(offset, size);
    }
    return new Promise((resolve, reject) => {
      instance.reads.push({ offset, size, resolve, reject });
      this.#driver.dispatch({ kind: "read", node });
    });
  }

  write(
    instance: CachedInstance,
    data: { offset: number; bytes: Uint8Array; read: number },
  ): void {
    if (!instance.area?.write(data.offset, data.bytes, data)) return;
    instance.meter.emptied();
    this.#driver.dispatch({ kind: "reset", node: instance.id });
  }

  measure({ isOpen, area, meter }: CachedInstance): Measured | undefined {
    return isOpen ? { count: area?.count, counts: meter.counts } : undefined;
  }
}

/** For pages above page 0. They need no protocol: what they lack is stored before page 0 is answered. */
function markCached(area: Area, { offset, size }: { offset: number; size: number }): void {
  for (let at = offset; at < offset + size; at += abi.PAGE_SIZE) {
    area.markCached(Math.floor(at / abi.PAGE_SIZE));
  }
}

/** @throws {Refusal} EIO for an instance that is closed: the protocol no longer knows it. */
function checkOpen({ isOpen }: CachedInstance): void {
  if (!isOpen) throw new Refusal("EIO");
}
