/** A device between a made-up page cache, made-up targets and made-up clients. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { once } from "node:events";
import type { Socket } from "node:net";
import { ProcessReader } from "../../src/base/process_reader.ts";
import { Threads } from "../../src/base/threads.ts";
import {
  type Callers,
  Device,
  type DeviceOptions,
  type EnabledArea,
  inScope,
  type PageCache,
  type Scope,
  type Source,
  type TargetPcs,
} from "../../src/kcov/mod.ts";
import { hasUnit, type Units, UnitSet } from "../../src/kcov/coherence/unit.ts";
import { targetId, type UnitId, unitId } from "../../src/kcov/ids.ts";
import { nodeId } from "../../src/fuse/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";

export const PAGE = 4096;
const WORDS = PAGE / 8;

interface Page {
  readonly bytes: Uint8Array;
  isDirty: boolean;
}

/** The kernel's page cache, as far as the device uses it. */
export class FakeCache implements PageCache {
  reads = 0;
  /** The errno of notifications. */
  errno = 0;
  readonly sizes = new Map<number, number>();
  readonly #pages = new Map<string, Page | Promise<Page>>();
  readonly #log: (line: string) => void;
  device!: Device;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Waits for a page that is being read; a dirty page is written back first. */
  async invalInode(nodeid: number, range: { offset: number; length: number }): Promise<number> {
    for (let at = range.offset; at < range.offset + range.length; at += PAGE) {
      const page = await this.#pages.get(`${nodeid} ${at}`);
      if (page?.isDirty) {
        this.device.write(nodeId(nodeid), { offset: at, bytes: page.bytes, read: this.reads });
      }
      this.#pages.delete(`${nodeid} ${at}`);
    }
    this.#log(`drop ${nodeid}`);
    return this.errno;
  }

  /** Extends the file; pages that are stored whole need no READ. */
  store(nodeid: number, offset: number, data: Uint8Array): Promise<number> {
    this.#log(`store ${nodeid} ${offset} ${data.length}`);
    this.sizes.set(nodeid, Math.max(this.sizes.get(nodeid) ?? 0, offset + data.length));
    for (let at = 0; at < data.length;) {
      const within = (offset + at) % PAGE;
      const piece = data.slice(at, at + PAGE - within);
      const key = `${nodeid} ${offset + at - within}`;
      const page = this.#pages.get(key);
      if (page && "bytes" in page) page.bytes.set(piece, within);
      else if (piece.length === PAGE) this.#pages.set(key, { bytes: piece, isDirty: false });
      at += piece.length;
    }
    return Promise.resolve(this.errno);
  }

  isCached(nodeid: number, page: number): boolean {
    return this.#pages.has(`${nodeid} ${page * PAGE}`);
  }

  /** Drops a page by itself, as it may when memory is short. */
  reclaim(nodeid: number, page: number): void {
    this.#pages.delete(`${nodeid} ${page * PAGE}`);
  }

  /** Touches a word of a mapping; rejects where that would be SIGBUS. */
  async load(nodeid: number, word: number): Promise<bigint> {
    const { bytes } = await this.#touch(nodeid, word);
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64((word % WORDS) * 8, true);
  }

  async save(nodeid: number, word: number, value: bigint): Promise<void> {
    const key = `${nodeid} ${Math.floor(word / WORDS) * PAGE}`;
    for (;;) {
      const page = await this.#touch(nodeid, word);
      // It was dropped meanwhile: the store faults once more.
      if (await this.#pages.get(key) !== page) continue;
      new DataView(page.bytes.buffer).setBigUint64((word % WORDS) * 8, value, true);
      page.isDirty = true;
      return;
    }
  }

  async #touch(nodeid: number, word: number): Promise<Page> {
    const offset = Math.floor(word / WORDS) * PAGE;
    if (offset >= (this.sizes.get(nodeid) ?? 0)) throw new Error("SIGBUS");
    const key = `${nodeid} ${offset}`;
    const cached = this.#pages.get(key);
    if (cached) return await cached;
    const reading = this.#read(nodeid, offset);
    this.#pages.set(key, reading);
    const page = await reading;
    if (this.#pages.get(key) === reading) this.#pages.set(key, page);
    return page;
  }

  async #read(nodeid: number, offset: number): Promise<Page> {
    this.reads++;
    const answer = await this.device.read(nodeId(nodeid), { offset, size: PAGE });
    this.#log(`read ${nodeid} ${offset}`);
    return { bytes: Uint8Array.from(answer), isDirty: false };
  }
}

/** Targets that execute as they are told. */
export class FakeSource implements Source {
  /** `stop` waits for this, and for the gates of the units that it concerns. */
  gate: Promise<unknown> = Promise.resolve();
  readonly gates = new Map<number, Promise<unknown>>();
  /** By target: the target whose unit it is in. */
  readonly units = new Map<number, number>();
  /** The kind of what is executed from now on. */
  kind: TargetPcs["kind"] = "counts";
  /** The areas of each `trace`, in order. */
  readonly traced: (readonly EnabledArea[])[] = [];
  /** `trace` waits for this. */
  traceGate: Promise<unknown> = Promise.resolve();
  /** Called when `trace` is. */
  onTrace = (): void => {};
  readonly #log: (line: string) => void;
  readonly #held = new UnitSet();
  /** By target and kind. */
  readonly #executed = new Map<string, Omit<TargetPcs, "pcs"> & { readonly pcs: number[] }>();

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Whether the target that {@linkcode execute} is about is held. */
  get isHeld(): boolean {
    return this.isTargetHeld(1);
  }

  isTargetHeld(target: number): boolean {
    return this.#held.has(this.unitOf(target));
  }

  unitOf(target: number): UnitId {
    return unitId(this.units.get(target) ?? target);
  }

  execute(...pcs: number[]): void {
    this.executeIn(1, ...pcs);
  }

  executeIn(target: number, ...pcs: number[]): void {
    if (this.isTargetHeld(target)) throw new Error("held targets cannot execute");
    const { kind } = this;
    const key = `${target} ${kind}`;
    const executed = this.#executed.get(key) ?? { target: targetId(target), kind, pcs: [] };
    executed.pcs.push(...pcs);
    this.#executed.set(key, executed);
  }

  async stop({ units }: { units: Units }): Promise<TargetPcs[]> {
    this.#log(`stop${format(units)}`);
    await this.gate;
    for (const [unit, gate] of this.gates) if (hasUnit(units, unitId(unit))) await gate;
    this.#held.add(units);
    const found = [...this.#executed].filter(([, { target }]) =>
      hasUnit(units, this.unitOf(target))
    );
    for (const [key] of found) this.#executed.delete(key);
    return found.map(([, executed]) => ({ ...executed, pcs: Uint32Array.from(executed.pcs) }));
  }

  async trace(areas: readonly EnabledArea[]): Promise<void> {
    this.traced.push(areas);
    this.onTrace();
    await this.traceGate;
  }

  canCompare(): boolean {
    return this.kind !== "counts";
  }

  /** Targets that have no probes. */
  readonly counted = new Set<number>();

  canWrite(scope: Scope): boolean {
    return ![...this.counted].some((target) => inScope(scope, targetId(target)));
  }

  release(units: Units): void {
    this.#log(`release${format(units)}`);
    this.#held.delete(units);
  }
}

function format(units: Units): string {
  if ("only" in units) return ` ${units.only}`;
  return units.except.length === 0 ? "" : ` all but ${units.except}`;
}

export class DeviceWorld implements AsyncDisposable {
  /** The events around the device, in order. */
  readonly log: string[] = [];
  readonly cache = new FakeCache((line) => this.log.push(line));
  readonly source = new FakeSource((line) => this.log.push(line));
  readonly device: Device;
  readonly #threads = new Threads();
  readonly #processes = new ProcessReader();

  constructor(options: Partial<DeviceOptions> = {}) {
    const callers: Callers = {
      find: (tid, onEnd) => this.#threads.find(tid, onEnd),
      nameOf: (tid) => this.#threads.nameOf(tid),
      readMemory: (tid, range) => this.#processes.readMemory(tid, range),
    };
    this.device = new Device(this.source, this.cache, { callers, ...options });
    this.cache.device = this.device;
  }

  /** Opens an instance for a thread. */
  open(id: number, tid = process.pid, scope: Scope = "all"): Client {
    this.device.open(nodeId(id), { scope });
    return new Client(this, { id, tid });
  }

  /** Opens, initialises and enables one. */
  async enabled(
    id: number,
    options: { tid?: number; words?: number; scope?: Scope } = {},
  ): Promise<Client> {
    const client = this.open(id, options.tid, options.scope);
    await client.initialize(options.words ?? WORDS);
    const result = await client.ioctl(0x6364);
    if (result !== 0) throw new Error(`ENABLE answered ${result}`);
    this.log.length = 0;
    return client;
  }

  /** Resolves when the targets run and nothing is under way. */
  async untilRest(): Promise<void> {
    do for (let i = 0; i < 5; i++) await turn(); while (this.source.isHeld);
  }

  stateOf(id: number): string | undefined {
    return this.device.find(nodeId(id))?.state.kind;
  }

  /** Bytes of an instance's area. */
  sizeOf(id: number): number | undefined {
    return this.device.find(nodeId(id))?.area?.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.device[Symbol.asyncDispose]();
    await this.#threads[Symbol.asyncDispose]();
    await this.#processes[Symbol.asyncDispose]();
  }
}

/** A thread with a descriptor of an instance. */
export class Client {
  readonly id: number;
  readonly tid: number;
  readonly #world: DeviceWorld;

  constructor(world: DeviceWorld, { id, tid }: { id: number; tid: number }) {
    this.#world = world;
    this.id = id;
    this.tid = tid;
  }

  /** @param data The bytes that the argument points to. */
  ioctl(cmd: number, arg: bigint | number = 0, data: Uint8Array | null = null): Promise<number> {
    const call = { cmd, arg: BigInt(arg), tid: threadId(this.tid), ...(data && { data }) };
    return this.#world.device.ioctl(nodeId(this.id), call);
  }

  initialize(words: bigint | number): Promise<number> {
    return this.ioctl(0x80086301, words);
  }

  load(word: number): Promise<bigint> {
    return this.#world.cache.load(this.id, word);
  }

  save(word: number, value: bigint): Promise<void> {
    return this.#world.cache.save(this.id, word, value);
  }

  /** The lower halves of the PCs, as many as `area[0]` says. */
  async pcs(): Promise<number[]> {
    const count = Number(await this.load(0));
    const words = Array.from({ length: count }, (_, i) => i + 1);
    return await Promise.all(
      words.map(async (word) => Number(await this.load(word) & 0xffffffffn)),
    );
  }

  /** Closes the last descriptor and mapping. */
  close(): void {
    this.#world.device.release(nodeId(this.id));
  }
}

/** Threads that live as long as this process, its main thread first. */
export function threads(): number[] {
  const others = readdirSync("/proc/self/task").map(Number).filter((tid) => tid !== process.pid);
  return [process.pid, ...others];
}

/** A thread that can be ended. It ends with this process at the latest. */
export function startThread(): { tid: number; end: () => Promise<void> } {
  const child = spawn("cat", { stdio: ["pipe", "ignore", "ignore"] });
  // For a process that could not be started, this event comes later, when nobody may listen any more.
  child.on("error", () => {});
  if (child.pid === undefined) {
    throw new Error("Cannot start 'cat': the system has no more processes");
  }
  // If a test fails, the process stays; it ends with its input at the end of this process.
  child.unref();
  (child.stdin as Socket).unref();
  return {
    tid: child.pid!,
    end: () => killed(child),
  };
}

/** Ends a child; resolves when it has ended, also if it had ended before. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Lets everything that is ready run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
