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
}

/**
 * Insertions into a source. At one offset, insertions behind stretches that end there come first, the
 * innermost first; then those before stretches that begin there, the outermost first. Of two around the same
 * stretch, the first is the outer one. Text that follows a stretch is within all text that is put around the
 * stretch.
 */
export class Edits {
  readonly #openings: Insertion[] = [];
  readonly #closings: Insertion[] = [];
  readonly #followers: Insertion[] = [];

  /** Puts text around a stretch. */
  wrap({ start, end }: Stretch, [before, after]: readonly [Text, Text]): void {
    this.#openings.push({ start, end, text: before });
    this.#closings.push({ start, end, text: after });
  }

  /** Puts text before whatever begins at an offset. */
  open(at: number, text: Text): void {
    this.#openings.push({ start: at, end: Infinity, text });
  }

  /** Puts text behind a stretch. */
  follow({ start, end }: Stretch, text: Text): void {
    this.#followers.push({ start, end, text });
  }

  /** These edits, with others within them. */
  with(inner: Edits): Edits {
    const both = new Edits();
    both.#openings.push(...this.#openings, ...inner.#openings);
    both.#closings.push(...this.#closings, ...inner.#closings);
    both.#followers.push(...this.#followers, ...inner.#followers);
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
    // Sorting is stable, so equal ones stay in the order of the list.
    const openings = [...this.#openings].sort((a, b) => a.start - b.start || b.end - a.end);
    const closings = [...this.#followers, ...this.#closings.toReversed()]
      .sort((a, b) => a.end - b.end || b.start - a.start);
    const lengths = new Map<number, number>();
    const put = (at: number, text: string) => {
      into.appendLeft(at, text);
      lengths.set(at, (lengths.get(at) ?? 0) + text.length);
    };
    for (const { end, text } of closings) put(end, written(text, pc));
    for (const { start, text } of openings) {
      const opening = written(text, pc);
      put(start, isJoined(into.original, start, opening) ? ` ${opening}` : opening);
    }
    return [...lengths].sort(([a], [b]) => a - b).flat();
  }
}

/** Whether a word would join the one before it, as in \`return"a"\`. */
function isJoined(source: string, at: number, text: string): boolean {
  return /^[\w$]/.test(text) && /[\p{ID_Continue}$]$/u.test(source.slice(Math.max(0, at - 2), at));
}
