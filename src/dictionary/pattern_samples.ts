/** Texts that a regular expression's pattern asks for. */

/** Samples of a pattern, at most. */
const MOST = 16;
/** How often what may be repeated is, at most. */
const MOST_TIMES = 8;
/** Groups within groups, at most. */
const DEEPEST = 32;

const CLASSES: Readonly<Record<string, string>> = {
  d: "0",
  D: "a",
  w: "a",
  W: " ",
  s: " ",
  S: "a",
  p: "a",
  P: " ",
  b: "",
  B: "",
};
const CONTROLS: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  f: "\f",
  v: "\v",
  0: "\0",
};

/**
 * Words that match a pattern, or nearly do: of small alternations each way, of a class its first member, what
 * is optional once; and the runs of characters that stand in it literally.
 *
 * @returns as many as there are, in no order; none of what cannot be read.
 */
export function patternSamples(pattern: string): string[] {
  const reader = new PatternReader(pattern);
  const samples = reader.read();
  return [...new Set([...samples, ...reader.pieces])];
}

class PatternReader {
  /** Runs of literal characters. */
  readonly pieces: string[] = [];
  readonly #pattern: string;
  #at = 0;
  #depth = 0;
  #piece = "";

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  read(): string[] {
    const samples = this.#alternatives();
    this.#endPiece();
    return samples;
  }

  get #next(): string | undefined {
    return this.#pattern[this.#at];
  }

  #endPiece(): void {
    if (this.#piece.length > 1) this.pieces.push(this.#piece);
    this.#piece = "";
  }

  /** Up to the end, or to a parenthesis. */
  #alternatives(): string[] {
    const samples = this.#sequence();
    while (this.#next === "|") {
      this.#at++;
      this.#endPiece();
      samples.push(...this.#sequence());
    }
    return samples.slice(0, MOST);
  }

  #sequence(): string[] {
    let samples = [""];
    while (this.#next !== undefined && this.#next !== "|" && this.#next !== ")") {
      const before = this.#piece;
      const atom = this.#atom();
      const times = this.#times();
      if (times !== 1 && this.#piece !== before) {
        this.#piece = before;
        this.#endPiece();
      }
      const ways = atom.map((text) => text.repeat(times));
      samples = samples.flatMap((start) => ways.map((way) => start + way)).slice(0, MOST);
    }
    return samples;
  }

  #atom(): string[] {
    const unit = this.#pattern[this.#at++];
    switch (unit) {
      case "(":
        return this.#group();
      case "[":
        this.#endPiece();
        return [this.#class()];
      case "\\":
        return [this.#escape()];
      case "^":
      case "$":
        return [""];
      case ".":
        this.#endPiece();
        return ["a"];
      default:
        this.#piece += unit;
        return [unit];
    }
  }

  #group(): string[] {
    this.#endPiece();
    const [opening = ""] = /^\?(?:[:=!]|<[=!]|<\w+>)/.exec(this.#pattern.slice(this.#at)) ?? [];
    this.#at += opening.length;
    if (++this.#depth > DEEPEST) this.#at = this.#pattern.length;
    const samples = this.#alternatives();
    this.#depth--;
    this.#at++;
    this.#endPiece();
    return opening.endsWith("!") ? [""] : samples;
  }

  /** The first member of a class; of one that excludes something, any letter or digit that it may have. */
  #class(): string {
    const isNegated = this.#next === "^";
    if (isNegated) this.#at++;
    const start = this.#at;
    let first: string | undefined;
    while (this.#next !== undefined && this.#next !== "]") {
      const unit = this.#pattern[this.#at++];
      const member = unit === "\\" ? this.#escape() : unit;
      first ??= member;
    }
    const members = this.#pattern.slice(start, this.#at++);
    this.#piece = "";
    if (!isNegated) return first ?? "";
    return [..."a0 ~"].find((unit) => !members.includes(unit)) ?? "";
  }

  #escape(): string {
    const unit = this.#pattern[this.#at++] ?? "";
    const rest = this.#pattern.slice(this.#at);
    const hex = /^(?:x([\da-f]{2})|u([\da-f]{4})|u\{([\da-f]{1,6})\})/i.exec(unit + rest);
    if (hex) {
      this.#at += hex[0].length - 1;
      return this.#literal(codePoint(parseInt(hex[1] ?? hex[2] ?? hex[3], 16)));
    }
    if (unit in CONTROLS) return this.#literal(CONTROLS[unit]);
    if (/[1-9k]/.test(unit)) return this.#notLiteral("");
    if (!(unit in CLASSES)) return this.#literal(unit);
    if (/[pP]/.test(unit)) this.#at += /^\{[^}]*\}/.exec(rest)?.[0].length ?? 0;
    return this.#notLiteral(CLASSES[unit]);
  }

  #literal(text: string): string {
    this.#piece += text;
    return text;
  }

  #notLiteral(text: string): string {
    this.#endPiece();
    return text;
  }

  /** How often what has just been read is to be there. */
  #times(): number {
    const quantifier = /^(?:([*+?])|\{(\d+)(?:,\d*)?\})\??/.exec(this.#pattern.slice(this.#at));
    if (!quantifier) return 1;
    this.#at += quantifier[0].length;
    if (quantifier[1]) this.#endPiece();
    return Math.min(Math.max(1, Number(quantifier[2] ?? 1)), MOST_TIMES);
  }
}

function codePoint(number: number): string {
  return number <= 0x10ffff ? String.fromCodePoint(number) : "";
}
