import { type BlockNumber, blockOfPcLow, firstEndingAfter, type Segment } from "./pc_space.ts";

/** Marks of blocks that have executed: before the last reset, or since. Other blocks have 0. */
export const BEFORE_RESET = 1;
export const SINCE_RESET = 2;

/** A script's blocks. */
export interface CoveredScript {
  /** Its first block. */
  readonly base: BlockNumber;
  /** By block; see {@linkcode CoveredBlocks.marksOf}. */
  readonly marks: Uint8Array;
}

/**
 * The blocks that have executed since the server started. Targets are identified by name: if a target comes
 * back under its name, its blocks are added to those from before.
 */
export class CoveredBlocks {
  readonly #targets = new Map<string, Map<BlockNumber, Uint8Array>>();

  /**
   * The marks of a script's blocks in a target, a byte a block; always the same array. The caller sets a
   * block's mark to {@linkcode SINCE_RESET} when it has executed.
   */
  marksOf(target: string, { base, count }: Segment): Uint8Array {
    let scripts = this.#targets.get(target);
    if (!scripts) this.#targets.set(target, scripts = new Map());
    let marks = scripts.get(base);
    if (!marks) scripts.set(base, marks = new Uint8Array(count));
    return marks;
  }

  /**
   * Marks blocks that are known only by their PCs.
   *
   * @param options `pcs`: their lower halves. `segments`: all segments there are, by ascending base.
   */
  addPcs(
    target: string,
    { pcs, segments }: { pcs: Iterable<number>; segments: readonly Segment[] },
  ): void {
    for (const pc of pcs) {
      const block = blockOfPcLow(pc);
      const segment = segments[firstEndingAfter(segments, block)];
      if (!segment || segment.base > block) continue;
      this.marksOf(target, segment)[block - segment.base] = SINCE_RESET;
    }
  }

  /** From now on all blocks that have executed count as executed before the last reset. */
  reset(): void {
    for (const { marks } of this.#all()) {
      for (let i = 0; i < marks.length; i++) if (marks[i] !== 0) marks[i] = BEFORE_RESET;
    }
  }

  /** The scripts of a target. */
  segmentsOf(target: string): Segment[] {
    const scripts = this.#targets.get(target) ?? [];
    return [...scripts].map(([base, { length: count }]) => ({ base, count }));
  }

  /** The targets by name, each with its scripts in the order in which they came. */
  *list(): Generator<[string, CoveredScript[]]> {
    for (const [name, scripts] of this.#targets) {
      yield [name, [...scripts].map(([base, marks]) => ({ base, marks }))];
    }
  }

  /** The number of blocks that have executed in any target since the start. */
  get size(): number {
    return count(mergeScripts(this.#all()));
  }

  *#all(): Generator<CoveredScript> {
    for (const scripts of this.#targets.values()) {
      for (const [base, marks] of scripts) yield { base, marks };
    }
  }
}

/** Merges the blocks that several targets have executed of the same scripts, by ascending block. */
export function mergeScripts(scripts: Iterable<CoveredScript>): CoveredScript[] {
  const merged = new Map<BlockNumber, Uint8Array>();
  for (const { base, marks } of scripts) {
    const sum = merged.get(base);
    if (!sum) merged.set(base, marks.slice());
    else for (let i = 0; i < marks.length; i++) sum[i] = Math.max(sum[i], marks[i]);
  }
  return [...merged].map(([base, marks]) => ({ base, marks })).sort((a, b) => a.base - b.base);
}

function count(scripts: readonly CoveredScript[]): number {
  let size = 0;
  for (const { marks } of scripts) for (const mark of marks) if (mark !== 0) size++;
  return size;
}
