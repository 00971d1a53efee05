import type MagicString from "magic-string";

/** Returns a block's PC as it is written into a source. */
export type WritePc = (block: number) => string;

/** A text that is put into a source, and that may have PCs in it. */
export type Text = string | ((pc: WritePc) => string);

/** The text with its PCs, as it is put into the source. */
export function written(text: Text, pc: WritePc): string {
  return typeof text === "string" ? text : text(pc);
}

/** A stretch of the source: [start, end). */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

interface Insertion extends Stretch {
  readonly text: Text;
  readonly block: number;
  readonly group: number;
}

/** Text that is put into a source at an offset, for a block. */
export interface WrittenInsertion {
  readonly at: number;
  readonly text: string;
  readonly block: number;
  /** Insertions of one group have a meaning only together: those around a stretch. */
  readonly group: number;
}

/**
 * Insertions into a source. At one offset, insertions behind stretches that end there come first, the
 * innermost first; then those before stretches that begin there, the outermost first. Of two around the same
 * stretch, the first is the outer one. Text that follows a stretch is within all text that is put around the
 * stretch.
 */
export class Edits {
  /** Whose probes the next insertions are. */
  block = 0;
  #nextGroup = 0;
  readonly #openings: Insertion[] = [];
  readonly #closings: Insertion[] = [];
  readonly #followers: Insertion[] = [];

  #own(): { block: number; group: number } {
    return { block: this.block, group: this.#nextGroup++ };
  }

  /** Puts text around a stretch. */
  wrap({ start, end }: Stretch, [before, after]: readonly [Text, Text]): void {
    const owner = this.#own();
    this.#openings.push({ start, end, text: before, ...owner });
    this.#closings.push({ start, end, text: after, ...owner });
  }

  /** Puts text before whatever begins at an offset. */
  open(at: number, text: Text): void {
    this.#openings.push({ start: at, end: Infinity, text, ...this.#own() });
  }

  /** Puts text behind a stretch. */
  follow({ start, end }: Stretch, text: Text): void {
    this.#followers.push({ start, end, text, ...this.#own() });
  }

  /** These edits, with others within them. */
  with(inner: Edits): Edits {
    const both = new Edits();
    const apart = (one: Insertion) => ({ ...one, group: this.#nextGroup + one.group });
    both.#openings.push(...this.#openings, ...inner.#openings.map(apart));
    both.#closings.push(...this.#closings, ...inner.#closings.map(apart));
    both.#followers.push(...this.#followers, ...inner.#followers.map(apart));
    both.#nextGroup = this.#nextGroup + inner.#nextGroup;
    return both;
  }

  /** How deep the insertions nest. */
  get depth(): number {
    const stretches = this.#openings.filter(({ end }) => end !== Infinity)
      .sort((a, b) => a.start - b.start || b.end - a.end);
    const open: number[] = [];
    let depth = 0;
    for (const { start, end } of stretches) {
      while (open.length > 0 && open.at(-1)! <= start) open.pop();
      open.push(end);
      depth = Math.max(depth, open.length);
    }
    return depth;
  }

  /**
   * Makes the insertions.
   *
   * @returns their offsets in the source, each followed by the number of characters inserted there.
   */
  apply(into: MagicString, pc: WritePc): number[] {
    const lengths = new Map<number, number>();
    for (const { at, text } of this.write(into.original, pc)) {
      into.appendLeft(at, text);
      lengths.set(at, (lengths.get(at) ?? 0) + text.length);
    }
    return [...lengths].flat();
  }

  /**
   * The insertions as texts, in the order of the source. Those of one block can be made without the others.
   *
   * @param source What they go into.
   */
  write(source: string, pc: WritePc): WrittenInsertion[] {
    // Sorting is stable, so equal ones stay in the order of the list.
    const openings = [...this.#openings].sort((a, b) => a.start - b.start || b.end - a.end);
    const closings = [...this.#followers, ...this.#closings.toReversed()]
      .sort((a, b) => a.end - b.end || b.start - a.start);
    const insertions = [
      ...closings.map(({ end, text, block, group }) => ({
        ...{ at: end, text: written(text, pc), block, group },
      })),
      ...openings.map(({ start, text, block, group }) => {
        const opening = written(text, pc);
        const isApart = !isJoined(source, start, opening);
        return { at: start, text: isApart ? opening : ` ${opening}`, block, group };
      }),
    ];
    return insertions.sort((a, b) => a.at - b.at);
  }
}

/** Whether a word would join the one before it, as in \`return"a"\`. */
function isJoined(source: string, at: number, text: string): boolean {
  return /^[\w$]/.test(text) && /[\p{ID_Continue}$]$/u.test(source.slice(Math.max(0, at - 2), at));
}
