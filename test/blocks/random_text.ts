/** Random choices, and the pieces of text between tokens; the same seed gives the same ones. */
export class RandomText {
  readonly #seed: number;
  #state: number;
  #names = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#state = seed * 0x9e3779b1 | 0;
  }

  /** An integer from 0 up to, but not including, `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = this.#state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(this.#state ^ this.#state >>> 15, 1 | this.#state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * limit);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  /** A name that no other program has: scripts share their globals. */
  name(): string {
    return `v${this.#seed}_${this.#names++}`;
  }

  /** White space and comments where any may stand. */
  gap(): string {
    return this.pick(["", "", " ", " ", "\n", "/* ? : */", " // else {\n", "\t/* && */ "]);
  }

  /** The same without line ends. */
  space(): string {
    return this.pick([" ", " ", "  ", " /* ; */ "]);
  }

  /** The end of a statement. It may lack a semicolon; then the next one starts on a line of its own. */
  end(): string {
    return this.pick([";", ";", ";\n", "\n", " ;", "/**/;"]);
  }
}
