import { readSync, writeSync } from "node:fs";
import { WORD_SIZE } from "./abi.ts";
import type { AreaFile } from "./area_keeper.ts";
import type {
  AreaKeeper,
  CarryOut,
  Enabling,
  InstanceArea,
  Measured,
  ReadRange,
} from "./area_keeper.ts";
import { Instance, Refusal, type Scope } from "./instance.ts";
import type { Operation } from "./coherence/page0.ts";
import type { StepLog } from "./protocol_driver.ts";
import { type EnabledArea, enabledArea, type Source } from "./source.ts";

/** What {@linkcode DirectAreas} act on. */
export interface DirectOptions {
  readonly source: Pick<Source, "trace">;
  /** Makes a file for an area. */
  readonly makeFile: () => AreaFile;
  readonly log?: StepLog | undefined;
  readonly warn: (line: string) => void;
  readonly carryOut: CarryOut;
}

/** An area that is a file. */
class FileArea implements InstanceArea {
  readonly size: number;
  readonly #file: AreaFile;

  constructor(file: AreaFile, size: number) {
    this.#file = file;
    this.size = size;
  }

  reset(): void {
    writeSync(this.#file.fd, ZERO, 0, WORD_SIZE, 0);
  }

  /** `area[0]` as it is now, whoever has written it. */
  get count(): number {
    const [low, high] = new Uint32Array(this.read({ offset: 0, size: WORD_SIZE }).slice().buffer);
    return high * 2 ** 32 + low;
  }

  read({ offset, size }: ReadRange): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(size, this.size - offset)));
    return bytes.subarray(0, readSync(this.#file.fd, bytes, 0, bytes.length, offset));
  }
}

interface DirectSlot {
  readonly instance: Instance<FileArea>;
  readonly file: AreaFile;
  isClosed: boolean;
}

const ZERO = new Uint8Array(WORD_SIZE);

/**
 * Areas that clients map and targets write themselves, as the kernel does: there is nothing to collect and
 * nobody to hold. The server only says who writes into what.
 */
export class DirectAreas implements AreaKeeper {
  readonly #options: DirectOptions;
  readonly #slots = new Map<number, DirectSlot>();
  /** What targets are told: from before an instance is enabled, and until it is about to be disabled. */
  readonly #traced = new Map<number, EnabledArea>();

  constructor(options: DirectOptions) {
    this.#options = options;
  }

  open(id: number, scope: Scope): Instance<FileArea> {
    const instance = new Instance<FileArea>(id, scope);
    const file = this.#withMemory("a file for an instance", this.#options.makeFile);
    this.#slots.set(id, { instance, file, isClosed: false });
    return instance;
  }

  /** The descriptor by which the client is to map the area. */
  fileOf(id: number): AreaFile {
    return this.#slot(id).file;
  }

  close(id: number): void {
    const slot = this.#slot(id);
    slot.isClosed = true;
    if (slot.instance.state.kind !== "enabled") this.#forget(id, slot);
  }

  /** What is mapped stays with whoever has mapped it. */
  #forget(id: number, { file }: DirectSlot): void {
    this.#slots.delete(id);
    if (this.#traced.delete(id)) this.#trace();
    file[Symbol.dispose]();
  }

  initialize(id: number, words: bigint): Promise<void> {
    const { file, instance } = this.#slot(id);
    const size = Number(words) * WORD_SIZE;
    this.#withMemory(`an area of ${size} bytes`, () => file.grow(size));
    instance.initialize(words, new FileArea(file, size));
    return Promise.resolve();
  }

  /** @throws {Refusal} ENOMEM, as where `kzalloc` or `vmalloc_user` fails in the kernel. */
  #withMemory<T>(what: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      const { message } = error as Error;
      this.#options.warn(`Cannot make ${what}, so its client gets ENOMEM: ${message}`);
      throw new Refusal("ENOMEM");
    }
  }

  async operate(id: number, operation: Operation, enabling?: Enabling): Promise<void> {
    const slot = this.#slot(id);
    const { instance, file } = slot;
    if (operation === "enable") this.#traced.set(id, enabledArea(instance, enabling!, file));
    else if (operation !== "reset") this.#traced.delete(id);
    if (operation !== "reset") await this.#trace();
    // A client that was killed does not wait for its ioctl.
    if (this.#slots.get(id) !== slot) throw new Refusal("EIO");
    this.#options.carryOut(id, operation, enabling);
    if (slot.isClosed && instance.state.kind !== "enabled") this.#forget(id, slot);
  }

  #trace(): Promise<void> {
    const { log } = this.#options;
    if (log?.enabled) {
      const names = [...this.#traced.keys()].map((id) => `n${id}`).join(", ");
      log(names ? `probes are to write into ${names}` : "probes are to write nothing");
    }
    return this.#options.source.trace([...this.#traced.values()]);
  }

  #slot(id: number): DirectSlot {
    const slot = this.#slots.get(id);
    if (!slot) throw new Refusal("EIO");
    return slot;
  }

  /** Pages for the page cache, which splice(2) and sendfile(2) read through, would be stale the next time. */
  read(id: number, range: ReadRange): Uint8Array {
    const { area } = this.#slot(id).instance;
    if (!area || !range.isCall) throw new Refusal("EINVAL");
    return area.read(range);
  }

  /** The kernel keeps no pages of such files, so it writes none back. */
  write(): void {}

  /** Nothing is to be collected. */
  refresh(): Promise<void> {
    return Promise.resolve();
  }

  regroup(): void {}

  /** Resets and reads are stores and loads in memory that nobody watches. */
  measure(id: number): Measured | undefined {
    const slot = this.#slots.get(id);
    return slot && { count: slot.instance.area?.count };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#traced.clear();
    await this.#trace();
    for (const [id, slot] of this.#slots) this.#forget(id, slot);
  }
}
