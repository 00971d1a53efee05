import * as abi from "./abi.ts";
import { Area } from "./area.ts";
import type { AreaKeeper, CarryOut, Enabling, Measured, ReadRange } from "./area_keeper.ts";
import type { Counts } from "./meter.ts";
import { Instance, Refusal, type Scope } from "./instance.ts";
import type { Operation, UnitScope } from "./coherence/page0.ts";
import { Meter } from "./meter.ts";
import type { PageCache } from "./page_cache.ts";
import { ProtocolDriver, type StepLog } from "./protocol_driver.ts";
import { ReadAhead } from "./page_cache.ts";
import type { Slot } from "./slot.ts";
import { type EnabledArea, enabledArea, type Source } from "./source.ts";

/** What {@linkcode CoherentAreas} act on. */
export interface CoherentOptions {
  readonly source: Source;
  readonly cache: PageCache;
  readonly log: StepLog | undefined;
  readonly carryOut: CarryOut;
  /** What happens to all instances is added to this. */
  readonly total: Counts;
}

/** No inode has this node id. */
const NOBODYS = 0;

/** Areas in the kernel's page cache, which the coherence protocol keeps equal to the server's. */
export class CoherentAreas implements AreaKeeper {
  readonly #options: CoherentOptions;
  readonly #slots = new Map<number, Slot>();
  /** What probes write for: from before an instance is enabled until after it was disabled. */
  readonly #traced = new Map<number, EnabledArea>();
  readonly #driver: ProtocolDriver;
  /** Settled when no refresh is under way. */
  #refreshed: Promise<void> = Promise.resolve();

  constructor(options: CoherentOptions) {
    this.#options = options;
    this.#driver = new ProtocolDriver(this.#slots, {
      ...options,
      perform: (slot) => this.#perform(slot),
    });
  }

  open(id: number, scope: Scope): Instance<Area> {
    const instance = new Instance<Area>(id, scope);
    const above = new ReadAhead(id, this.#options.cache);
    const meter = new Meter(this.#options.total);
    this.#slots.set(id, { instance, reads: [], operations: [], above, meter });
    return instance;
  }

  close(id: number): void {
    const slot = this.#slots.get(id);
    this.#slots.delete(id);
    for (const waiting of [...slot?.reads ?? [], ...slot?.operations ?? []]) {
      waiting.reject(new Refusal("EIO"));
    }
    this.#traced.delete(id);
    this.#driver.dispatch({ kind: "closed", node: id });
    this.#trace();
  }

  /** Storing the last word extends the file, without which touching a mapping of it is SIGBUS. */
  async initialize(id: number, words: bigint): Promise<void> {
    const { instance } = this.#slot(id);
    const last = (Number(words) - 1) * abi.WORD_SIZE;
    const errno = await this.#options.cache.store(id, last, new Uint8Array(abi.WORD_SIZE));
    if (errno !== 0) throw new Refusal("EIO");
    instance.initialize(words, new Area(Number(words)));
  }

  async operate(id: number, operation: Operation, enabling?: Enabling): Promise<void> {
    const slot = this.#slot(id);
    if (enabling) {
      this.#traced.set(id, enabledArea(slot.instance, enabling));
      await this.#trace();
    }
    if (this.#slots.get(id) !== slot) throw new Refusal("EIO");
    await new Promise<void>((resolve, reject) => {
      slot.operations.push({ operation, resolve, reject, ...(enabling && { enabling }) });
      const scope = enabling && this.#unitScope(enabling.scope);
      this.#driver.dispatch({ kind: "operate", node: id, operation, ...(scope && { scope }) });
    });
    if (operation === "disable" || operation === "retire") {
      this.#traced.delete(id);
      await this.#trace();
    }
  }

  #trace(): Promise<void> {
    return this.#options.source.trace([...this.#traced.values()]);
  }

  #slot(id: number): Slot {
    const slot = this.#slots.get(id);
    if (!slot) throw new Refusal("EIO");
    return slot;
  }

  #unitScope(scope: Scope): UnitScope {
    if (scope === "all") return scope;
    return [...new Set([...scope].map((target) => this.#options.source.unitOf(target)))];
  }

  /** An instance that nobody has opened is enabled, for which all targets are collected from. */
  async refresh(): Promise<void> {
    this.#refreshed = this.#refreshed.then(async () => {
      this.open(NOBODYS, "all");
      await new Promise<void>((resolve, reject) => {
        this.#slot(NOBODYS).operations.push({ operation: "enable", resolve, reject });
        this.#driver.dispatch({ kind: "operate", node: NOBODYS, operation: "enable" });
      });
      this.#slots.delete(NOBODYS);
      this.#driver.dispatch({ kind: "closed", node: NOBODYS });
    });
    await this.#refreshed;
  }

  regroup(): void {
    for (const [node, { instance, operations }] of this.#slots) {
      const scope = operations.find(({ enabling }) => enabling)?.enabling?.scope ?? instance.scope;
      if (scope === "all") continue;
      this.#driver.dispatch({ kind: "rescope", node, scope: this.#unitScope(scope) });
    }
  }

  #perform(slot: Slot): void {
    const { operation, resolve, enabling } = slot.operations.shift()!;
    this.#options.carryOut(slot.instance.id, operation, enabling);
    if (operation === "reset") slot.meter.emptied();
    resolve();
  }

  /** Whole pages, as the kernel reads them when the client touches them, or calls read(2). */
  read(id: number, range: ReadRange): Uint8Array | Promise<Uint8Array> {
    const slot = this.#slot(id);
    const { area } = slot.instance;
    if (!area) throw new Refusal("EINVAL");
    const end = range.isCall ? area.size : Math.ceil(area.size / abi.PAGE_SIZE) * abi.PAGE_SIZE;
    if (range.offset >= end) return new Uint8Array(0);
    return this.#read(slot, { ...range, size: Math.min(range.size, end - range.offset) });
  }

  /** @param range Within the area's pages. */
  #read(slot: Slot, range: ReadRange): Uint8Array | Promise<Uint8Array> {
    const { id, area } = slot.instance;
    if (range.offset >= abi.PAGE_SIZE) {
      return range.isCall ? area!.read(range.offset, range.size) : slot.above.read(area!, range);
    }
    return new Promise((resolve, reject) => {
      slot.reads.push({ ...range, resolve, reject });
      this.#driver.dispatch({ kind: "read", node: id });
    });
  }

  write(id: number, data: { offset: number; bytes: Uint8Array; read: number }): void {
    const slot = this.#slots.get(id);
    if (slot?.instance.area?.write(data.offset, data.bytes, data)) {
      slot.meter.emptied();
      this.#driver.dispatch({ kind: "reset", node: id });
    }
  }

  measure(id: number): Measured | undefined {
    const slot = this.#slots.get(id);
    return slot && { count: slot.instance.area?.count, counts: slot.meter.counts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#traced.clear();
    await this.#trace();
  }
}
