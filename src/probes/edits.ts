import type MagicString from "magic-string";

/** How a block's PC is written into a source. */
export type WritePc = (block: number) => string;

/** What is put into a source, where PCs may be in it. */
export type Text = string | ((pc: WritePc) => string);

/** A stretch of the source: [start, end). */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

interface Insertion extends Stretch {
  readonly text: Text;
}

/**
 * Insertions into a source. At one offset come those behind stretches that end there, the innermost first,
 * and then those before stretches that begin there, the outermost first. Of two around the same stretch,
 * the first is the outer one; what follows a stretch is within all that is put around it.
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

  /** These, and within them others. */
  with(inner: Edits): Edits {
    const both = new Edits();
    both.#openings.push(...this.#openings, ...inner.#openings);
    both.#closings.push(...this.#closings, ...inner.#closings);
    both.#followers.push(...this.#followers, ...inner.#followers);
    return both;
  }

  /** Makes them. */
  apply(into: MagicString, pc: WritePc): void {
    // Sorting is stable, so equals come in the order in which they are listed.
    const openings = [...this.#openings].sort((a, b) => a.start - b.start || b.end - a.end);
    const closings = [...this.#followers, ...this.#closings.toReversed()]
      .sort((a, b) => a.end - b.end || b.start - a.start);
    const write = (text: Text) => typeof text === "string" ? text : text(pc);
    for (const { end, text } of closings) into.appendLeft(end, write(text));
    for (const { start, text } of openings) {
      const written = write(text);
      into.appendLeft(start, isJoined(into.original, start, written) ? ` ${written}` : written);
    }
  }
}

/** Whether a word would go on with the one before it, as in \`return"a"\`. */
function isJoined(source: string, at: number, text: string): boolean {
  return /^[\w$]/.test(text) && /[\p{ID_Continue}$]$/u.test(source.slice(Math.max(0, at - 2), at));
}
