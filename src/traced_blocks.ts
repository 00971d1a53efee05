import { readSync } from "node:fs";
import { type CoveredBlocks, SINCE_RESET } from "./coverage/covered_blocks.ts";
import { BLOCK_BYTES, type Segment } from "./coverage/pc_space.ts";
import type { SharedFile } from "./shared_file.ts";
import type { Target } from "./targets/target.ts";

/** What is needed to know what probes have marked. */
export interface TracedBlocksOptions {
  readonly covered: CoveredBlocks;
  /** All scripts that have PCs. */
  readonly segments: () => readonly Segment[];
  /** Makes a file in memory that targets can open. */
  readonly makeFile: () => SharedFile;
}

/**
 * The files in which probes mark the blocks that have executed, a byte a block: one for each target, sparse,
 * and there whatever becomes of the target.
 */
export class TracedBlocks implements Disposable {
  readonly #options: TracedBlocksOptions;
  readonly #files = new Map<Target, SharedFile>();

  constructor(options: TracedBlocksOptions) {
    this.#options = options;
  }

  /**
   * The file of a target.
   *
   * @throws when there is no memory for it.
   */
  pathOf(target: Target): string {
    let file = this.#files.get(target);
    if (!file) this.#files.set(target, file = this.#make());
    return file.path;
  }

  #make(): SharedFile {
    const file = this.#options.makeFile();
    file.extend(BLOCK_BYTES);
    return file;
  }

  /** Takes in what probes have marked by now. */
  read(): void {
    for (const [target, file] of this.#files) this.#read(target, { fd: file.fd });
  }

  /** The same of the scripts alone that targets are known to have. */
  readKnown(): void {
    const { covered } = this.#options;
    for (const [target, file] of this.#files) {
      const segments = covered.segmentsOf(target.info.name);
      this.#read(target, { fd: file.fd, segments });
    }
  }

  /** All scripts there are, for instrumented files come with PCs that nobody has told us of. */
  #read(
    { info: { name } }: Target,
    { fd, segments = this.#options.segments() }: { fd: number; segments?: readonly Segment[] },
  ): void {
    const { covered } = this.#options;
    for (const segment of segments) {
      const bytes = new Uint8Array(segment.count);
      readSync(fd, bytes, 0, bytes.length, segment.base);
      if (!bytes.includes(1)) continue;
      const marks = covered.marksOf(name, segment);
      for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) marks[i] = SINCE_RESET;
    }
  }

  /**
   * Has probes mark in files that are empty, and takes in what they have marked before.
   *
   * @param tell Tells the targets; resolves when they do.
   */
  async renew(tell: () => Promise<void>): Promise<void> {
    const old = [...this.#files];
    for (const [target] of old) this.#files.set(target, this.#make());
    await tell();
    for (const [target, file] of old) {
      this.#read(target, { fd: file.fd });
      file[Symbol.dispose]();
    }
  }

  /** A target has ended. */
  forget(target: Target): void {
    const file = this.#files.get(target);
    if (!file) return;
    this.#read(target, { fd: file.fd });
    this.#files.delete(target);
    file[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) file[Symbol.dispose]();
    this.#files.clear();
  }
}
