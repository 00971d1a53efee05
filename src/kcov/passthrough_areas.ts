import { readSync, writeSync } from "node:fs";
import { WORD_SIZE } from "./abi.ts";
import type { EnabledAreas } from "./enabled_areas.ts";
import type { AreaKeeper, MakeFile, Measured, ReadRange } from "./area_keeper.ts";
import {
  type AreaFile,
  type Change,
  Instance,
  type InstanceArea,
  type Opening,
  Refusal,
} from "./instance.ts";
import type { StepLog } from "./protocol_driver.ts";
import type { Reporter } from "../base/reporter.ts";

export interface PassthroughOptions {
  readonly enabled: EnabledAreas;
  readonly makeFile: MakeFile;
  readonly log: StepLog | undefined;
  readonly reporter?: Reporter | undefined;
}

const ZERO = new Uint8Array(WORD_SIZE);

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

  /** The present value, whoever has written it. */
  get count(): number {
    const [low, high] = new Uint32Array(this.read({ offset: 0, size: WORD_SIZE }).slice().buffer);
    return high * 2 ** 32 + low;
  }

  read({ offset, size }: ReadRange): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(size, this.size - offset)));
    return bytes.subarray(0, readSync(this.#file.fd, bytes, 0, bytes.length, offset));
  }
}

class FileInstance extends Instance<FileArea> {
  readonly #file: AreaFile;

  constructor(opening: Opening, file: AreaFile) {
    super(opening);
    this.#file = file;
  }

  override get file(): AreaFile {
    return this.#file;
  }
}

/**
 * Passthrough: areas that clients map and targets write into, as the kernel does. There is nothing to
 * collect and nobody to hold. The server only tells each target its areas.
 */
export class PassthroughAreas implements AreaKeeper, Disposable {
  readonly #options: PassthroughOptions;
  /** Those that still have their files: they are open, or their owners still trace. */
  readonly #instances = new Set<FileInstance>();

  constructor(options: PassthroughOptions) {
    this.#options = options;
  }

  open(opening: Opening): FileInstance {
    const file = this.#withMemory("a file for an instance", this.#options.makeFile);
    const instance = new FileInstance(opening, file);
    this.#instances.add(instance);
    return instance;
  }

  close(instance: FileInstance): void {
    if (instance.state.kind !== "enabled") this.#forget(instance);
  }

  /** Removes the file; a mapping of it lives on. */
  #forget(instance: FileInstance): void {
    this.#instances.delete(instance);
    this.#options.enabled.remove(instance);
    instance.file[Symbol.dispose]();
  }

  initialize(instance: FileInstance, words: bigint): Promise<void> {
    const { file } = instance;
    const size = Number(words) * WORD_SIZE;
    this.#withMemory(`an area of ${size} bytes`, () => file.grow(size));
    instance.initialize(words, new FileArea(file, size));
    return Promise.resolve();
  }

  /** @throws {Refusal} ENOMEM, as the kernel does if `kzalloc` or `vmalloc_user` fails. */
  #withMemory<T>(what: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      const { message } = error as Error;
      this.#options.reporter?.warn(`Cannot make ${what}, so its client gets ENOMEM: ${message}`);
      throw new Refusal("ENOMEM");
    }
  }

  async change(instance: FileInstance, change: Change): Promise<void> {
    this.#check(instance);
    await this.#tell(instance, change);
    // A client that was killed does not wait for its ioctl, so the instance may be gone.
    this.#check(instance);
    instance.change(change);
    if (!instance.isOpen && instance.state.kind !== "enabled") this.#forget(instance);
  }

  /** @throws {Refusal} EIO for an instance that is neither open nor traced any more. */
  #check(instance: FileInstance): void {
    if (!this.#instances.has(instance)) throw new Refusal("EIO");
  }

  /** Also called before an instance is disabled, so that nothing comes later. */
  async #tell(instance: FileInstance, change: Change): Promise<void> {
    const { log, enabled } = this.#options;
    if (change.operation === "reset") return;
    const told = change.operation === "enable"
      ? enabled.add(instance, change.enabling)
      : enabled.remove(instance);
    if (log?.enabled) {
      const names = String(enabled);
      log(names ? `probes are to write for ${names}` : "probes are to write nothing");
    }
    await told;
  }

  /**
   * Refuses READs for the page cache, which splice(2) and sendfile(2) use: the pages would be stale next
   * time.
   */
  read({ area }: FileInstance, range: ReadRange): Uint8Array {
    if (!area || !range.isCall) throw new Refusal("EINVAL");
    return area.read(range);
  }

  /** The kernel keeps no pages of such files, so it writes none back. */
  write(): void {}

  /** Resets and reads are stores and loads in memory that nobody watches, so there are no counts. */
  measure(instance: FileInstance): Measured | undefined {
    return this.#instances.has(instance) ? { count: instance.area?.count } : undefined;
  }

  [Symbol.dispose](): void {
    for (const instance of this.#instances) this.#forget(instance);
  }
}
