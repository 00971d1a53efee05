import { readSync } from "node:fs";
import { type CoveredBlocks, SINCE_RESET } from "../../symbols/covered_blocks.ts";
import { BLOCK_BYTES, blockAt, type BlockNumber, type Segment } from "../../symbols/pc_space.ts";
import type { SharedFile } from "../../base/shared_file.ts";
import type { Target } from "../../targets/target.ts";
import type { Reporter } from "../../base/reporter.ts";

export interface TracedBlocksOptions {
  readonly covered: CoveredBlocks;
  /** All scripts that have PCs. */
  readonly segments: () => readonly Segment[];
  /** Makes a file in memory that targets can open. */
  readonly makeFile: () => SharedFile;
  readonly reporter: Reporter;
}

/** Blocks whose marks share a piece of memory; a piece is taken as a whole. */
const PIECE = 4096;

/** The marks of a target. */
interface Marks {
  readonly file: SharedFile;
  /** The pieces of the file that have memory, by their numbers. */
  readonly pieces: Set<number>;
}

/**
 * The files in which probes mark the blocks that have executed, a byte a block. There is one for each
 * target. It is sparse, and outlasts its target.
 *
 * If memory is full, a store to a page of such a file that has no memory yet ends the target by SIGBUS. So
 * the marks of a script get memory before its probes run. If there is none, the target marks nothing any
 * more: its clients read what it executes, but reports lack it.
 */
export class TracedBlocks implements Disposable {
  readonly #options: TracedBlocksOptions;
  readonly #files = new Map<Target, Marks>();
  /** Targets that mark nothing, because memory was full. */
  readonly #unmarked = new WeakSet<Target>();

  constructor(options: TracedBlocksOptions) {
    this.#options = options;
  }

  /** The path of a target's file; undefined if there is no memory for it. */
  pathOf(target: Target): string | undefined {
    if (this.#unmarked.has(target)) return undefined;
    try {
      let marks = this.#files.get(target);
      if (!marks) this.#files.set(target, marks = this.#make([]));
      return marks.file.path;
    } catch (error) {
      this.#giveUp(target, error);
      return undefined;
    }
  }

  /** @param pieces The pieces that must have memory. */
  #make(pieces: Iterable<number>): Marks {
    const file = this.#options.makeFile();
    try {
      file.extend(BLOCK_BYTES);
      const marks = { file, pieces: new Set<number>() };
      take(marks, pieces);
      return marks;
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }

  #giveUp(target: Target, error: unknown): void {
    this.#unmarked.add(target);
    const { name, pid } = target.info;
    const { message } = error as Error;
    this.#options.reporter.warn(
      `Target ${name} (pid ${pid}): reports lack what it executes from now on: ${message}`,
    );
  }

  /**
   * Takes memory for the marks of blocks that a target is about to execute.
   *
   * @returns false if there is none: then tell the target that it has no file any more, before it executes
   * them.
   */
  reserve(target: Target, blocks: Iterable<number>): boolean {
    if (this.pathOf(target) === undefined) return true;
    try {
      take(this.#files.get(target)!, piecesOf(blocks));
      return true;
    } catch (error) {
      this.#giveUp(target, error);
      return false;
    }
  }

  /** Reads the marks that probes have made by now. */
  read(): void {
    for (const [target, { file }] of this.#files) this.#read(target, { fd: file.fd });
  }

  /** The same, but only for scripts that targets are known to have. */
  readKnown(): void {
    const { covered } = this.#options;
    for (const [target, { file }] of this.#files) {
      const segments = covered.segmentsOf(target.info.name);
      this.#read(target, { fd: file.fd, segments });
    }
  }

  /** Reads all segments: instrumented files come with PCs that nobody has told us of. */
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
   * Makes probes mark in empty files, and reads the marks that they have made before.
   *
   * @param tell Tells the targets; resolves when they mark in the new files.
   */
  async renew(tell: () => Promise<void>): Promise<void> {
    const old = [...this.#files];
    for (const [target, { pieces }] of old) this.#renew(target, pieces);
    await tell();
    for (const [target, { file }] of old) {
      this.#read(target, { fd: file.fd });
      file[Symbol.dispose]();
    }
  }

  #renew(target: Target, pieces: ReadonlySet<number>): void {
    try {
      this.#files.set(target, this.#make(pieces));
    } catch (error) {
      this.#files.delete(target);
      this.#giveUp(target, error);
    }
  }

  /** A target has ended. */
  forget(target: Target): void {
    const file = this.#files.get(target)?.file;
    if (!file) return;
    this.#read(target, { fd: file.fd });
    this.#files.delete(target);
    file[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const { file } of this.#files.values()) file[Symbol.dispose]();
    this.#files.clear();
  }
}

/** @throws ENOSPC if there is no memory for a piece. */
function take({ file, pieces }: Marks, wanted: Iterable<number>): void {
  for (const piece of wanted) {
    if (pieces.has(piece)) continue;
    file.reserve({ from: piece * PIECE, bytes: PIECE });
    pieces.add(piece);
  }
}

function piecesOf(blocks: Iterable<number>): Set<number> {
  const pieces = new Set<number>();
  for (const block of blocks) pieces.add(Math.floor(block / PIECE));
  return pieces;
}

/** At least one block of a script in each piece that has its blocks. */
export function* blocksOf(segment: Segment): Generator<BlockNumber> {
  const { count } = segment;
  for (let index = 0; index < count; index += PIECE) yield blockAt(segment, index);
  if (count > 0) yield blockAt(segment, count - 1);
}
