/** The original texts of scripts with probes, and the places in them. */
import type { createHash as CreateHash } from "node:crypto";

const { createHash } = require("node:crypto") as { createHash: typeof CreateHash };

/** The server's answer for a script with probes. */
interface Probed {
  readonly code: string;
  /** Offsets into the original script, each followed by the number of characters that are inserted there. */
  readonly insertions: readonly number[];
  /** SHA-256 of the code. */
  readonly hash: string;
  /** Lower half of the PC of its first block, and how many there are. */
  readonly firstPc: number;
  readonly blocks: number;
}

// User code may replace these.
const { apply } = Reflect;
const { slice, indexOf, charCodeAt } = String.prototype;
const { exec } = RegExp.prototype;
const PC = /__kcov[a-z_]*\((-?\d+)/;
const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;

/** The names by which a script is known. */
interface Names {
  /** Its names in stack traces. */
  readonly names: readonly string[];
  /** The texts that V8 compiles before and after it. */
  readonly wrapper?: readonly [before: string, after: string] | undefined;
  /** The name of the script that made it, for a script without a name of its own. */
  readonly maker?: string;
}

/** A script, as it is compiled and as it was. */
class WrittenText {
  readonly code: string;
  /** The name for scripts that this one makes. */
  readonly maker: string;
  /** For a text that `Function` was called with: the place of the call. */
  origin = "";
  readonly #insertions: readonly number[];
  #lineStarts: number[] | undefined;
  #hash: string | undefined;
  #source: string | undefined;

  constructor({ code, insertions }: Pick<Probed, "code" | "insertions">, maker: string) {
    this.code = code;
    this.maker = maker;
    this.#insertions = insertions;
  }

  /** The offset in the original script for an offset in the code; within a probe, the place of the probe. */
  offset(of: number): number {
    const insertions = this.#insertions;
    let inserted = 0;
    for (let i = 0; i < insertions.length; i += 2) {
      const start = insertions[i] + inserted;
      if (of <= start) break;
      if (of < start + insertions[i + 1]) return insertions[i];
      inserted += insertions[i + 1];
    }
    return of - inserted;
  }

  /** The original column for a column in a line of the code; both begin at 1. Line numbers are the same. */
  column(line: number, column: number): number {
    const start = this.#starts()[line - 1];
    return start === undefined ? column : this.offset(start + column - 1) - this.offset(start) + 1;
  }

  /** The original line; undefined if the code has no line of that number, or has another text in it. */
  line(line: number, text: string): string | undefined {
    const start = this.#starts()[line - 1];
    if (start === undefined) return undefined;
    const end = start + text.length;
    return apply(slice, this.code, [start, end]) === text ? this.slice(start, end) : undefined;
  }

  /** The original of a part of the code. */
  slice(start: number, end: number): string {
    let text = "";
    let inserted = 0;
    let at = start;
    const insertions = this.#insertions;
    for (let i = 0; i < insertions.length && at < end; i += 2) {
      const from = insertions[i] + inserted;
      const to = from + insertions[i + 1];
      inserted += insertions[i + 1];
      if (to <= at) continue;
      if (from >= end) break;
      if (from > at) text += apply(slice, this.code, [at, from]);
      at = to;
    }
    return at < end ? text + apply(slice, this.code, [at, end]) : text;
  }

  /** The original text of a function; undefined if the code does not have that text. */
  textOf(text: string): string | undefined {
    const { code } = this;
    const start = apply(indexOf, code, [text]) as number;
    if (start >= 0) return this.slice(start, start + text.length);
    // V8 puts the parameters around a text that is compiled as a function's body.
    const within = apply(indexOf, text, [code]) as number;
    if (within < 0) return undefined;
    const [before, after] = [[0, within], [within + code.length]].map((range) =>
      apply(slice, text, range) as string
    );
    return before + this.slice(0, code.length) + after;
  }

  /** The original script. */
  get source(): string {
    return this.#source ??= this.slice(0, this.code.length);
  }

  /** The hash that V8 would give for the original script. */
  get hash(): string {
    return this.#hash ??= hashOf(this.source);
  }

  /** The offsets at which the lines of the code begin, as V8 counts lines. */
  #starts(): number[] {
    if (this.#lineStarts) return this.#lineStarts;
    const starts = [0];
    const { code } = this;
    for (let at = 0; at < code.length; at++) {
      const unit = apply(charCodeAt, code, [at]) as number;
      const isEnd = unit === LINE_FEED || unit === 0x2028 || unit === 0x2029 ||
        (unit === CARRIAGE_RETURN && apply(charCodeAt, code, [at + 1]) !== LINE_FEED);
      if (isEnd) starts[starts.length] = at + 1;
    }
    return this.#lineStarts = starts;
  }
}

const CLASS = /^class\b[^]*\}$/;

/** All scripts with probes of an isolate. */
class WrittenTexts {
  /** The texts that got their probes after they had run. */
  readonly #changed: WrittenText[] = [];
  // These are no `Map`s, so that user code that changes `Map.prototype` changes nothing here.
  readonly #byHash: Record<string, WrittenText> = Object.create(null);
  readonly #byName: Record<string, WrittenText[]> = Object.create(null);
  /** The first PCs, ascending, and the texts that they belong to. */
  readonly #firstPcs: number[] = [];
  readonly #byPc: WrittenText[] = [];

  add(given: Probed, { names, wrapper, maker = names[0] ?? "" }: Names): WrittenText {
    const probed = wrapper ? wrapped(given, wrapper) : given;
    const known = this.#byHash[probed.hash];
    const text = known ?? new WrittenText(probed, maker);
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      const named = this.#byName[name] ??= [];
      if (named[named.length - 1] !== text) named[named.length] = text;
    }
    if (!known) this.#addNew(text, probed);
    return text;
  }

  #addNew(text: WrittenText, probed: Probed): void {
    this.#byHash[probed.hash] = text;
    let at = this.#firstPcs.length;
    while (at > 0 && this.#firstPcs[at - 1] > blockOf(probed.firstPc)) at--;
    this.#firstPcs.splice(at, 0, blockOf(probed.firstPc));
    this.#byPc.splice(at, 0, text);
  }

  /** Adds a script whose text has become another while it runs. */
  addChanged(probed: Probed, names: Names): WrittenText {
    const text = this.add(probed, names);
    this.#changed[this.#changed.length] = text;
    return text;
  }

  /**
   * The original text of a class. V8 remembers where the class stood when it was made, and gives the text that
   * stands there now.
   *
   * @returns undefined where V8's text is the original.
   */
  classText(text: string): string | undefined {
    for (let i = 0; i < this.#changed.length; i++) {
      const { code, source } = this.#changed[i];
      const at = apply(indexOf, code, [text]) as number;
      const written = at < 0 ? "" : apply(slice, source, [at, at + text.length]) as string;
      if (apply(exec, CLASS, [written])) return written;
    }
    return undefined;
  }

  /** Forgets a script that is another one by now. */
  drop({ names, text }: { names: readonly string[]; text: WrittenText }): void {
    for (const name of names) {
      const named = this.#byName[name] ?? [];
      const at = named.lastIndexOf(text);
      if (at >= 0) named.splice(at, 1);
    }
    const place = this.#changed.indexOf(text);
    if (place >= 0) this.#changed.splice(place, 1);
    const at = this.#byPc.indexOf(text);
    if (at < 0) return;
    this.#byPc.splice(at, 1);
    this.#firstPcs.splice(at, 1);
    for (const hash in this.#byHash) if (this.#byHash[hash] === text) delete this.#byHash[hash];
  }

  ofHash(hash: string): WrittenText | undefined {
    return this.#byHash[hash];
  }

  /** The texts of that name, the last one at the end. */
  named(name: string): readonly WrittenText[] {
    return this.#byName[name] ?? [];
  }

  /** The original text of a function. */
  functionText(text: string): string {
    const pc = (apply(exec, PC, [text]) as RegExpExecArray | null)?.[1];
    return pc === undefined ? text : this.#ofPc(+pc)?.textOf(text) ?? text;
  }

  /** The name for the scripts that another script makes, which is given by one of its PCs. */
  makerOf(pc: number): string {
    return this.#ofPc(pc)?.maker ?? "";
  }

  /**
   * Adds a script that V8 makes of two texts.
   *
   * @param options `parts`: the places of the texts in the source, one after the other.
   * @returns the texts with their probes; undefined if some probes are not within the texts.
   */
  addParts(
    probed: Probed,
    { source, parts, maker }: {
      source: string;
      parts: readonly [Part, Part];
      maker: string;
    },
  ): { text: WrittenText; parts: readonly string[] } | undefined {
    const [first, second] = parts;
    const insertions = insertionsOf(probed);
    const moved: Insertion[] = [];
    for (let i = 0; i < insertions.length; i++) {
      const { at, text } = insertions[i];
      // The probe of the script itself: V8 makes that script.
      if (at === 0) continue;
      if (at < first[0] || at > second[1]) return undefined;
      // The first probe of the function itself moves to where its body begins.
      moved[moved.length] = { at: at > first[1] && at < second[0] ? second[0] : at, text };
    }
    const code = inserted(source, moved, [0, source.length]);
    const flat: number[] = [];
    for (let i = 0; i < moved.length; i++) flat.push(moved[i].at, moved[i].text.length);
    const changed = { ...probed, code, insertions: flat, hash: hashOf(code) };
    const text = this.add(changed, { names: [], maker });
    return { text, parts: [inserted(source, moved, first), inserted(source, moved, second)] };
  }

  #ofPc(pc: number): WrittenText | undefined {
    const block = blockOf(pc);
    let [low, high] = [0, this.#firstPcs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firstPcs[middle] <= block) low = middle + 1;
      else high = middle;
    }
    return this.#byPc[low - 1];
  }
}

/** A stretch of a source. */
type Part = readonly [start: number, end: number];

interface Insertion {
  readonly at: number;
  readonly text: string;
}

function insertionsOf({ code, insertions }: Probed): Insertion[] {
  const all: Insertion[] = [];
  let before = 0;
  for (let i = 0; i < insertions.length; i += 2) {
    const [at, length] = [insertions[i], insertions[i + 1]];
    all[i / 2] = { at, text: apply(slice, code, [at + before, at + before + length]) as string };
    before += length;
  }
  return all;
}

/** A part of a source with its insertions. */
function inserted(source: string, insertions: readonly Insertion[], [start, end]: Part): string {
  let text = "";
  let from = start;
  for (let i = 0; i < insertions.length; i++) {
    const { at, text: more } = insertions[i];
    if (at < start || at > end) continue;
    text += (apply(slice, source, [from, at]) as string) + more;
    from = at;
  }
  return text + apply(slice, source, [from, end]);
}

/** V8's hash of a script. It takes a text to end at a zero. */
function hashOf(text: string): string {
  const end = apply(indexOf, text, ["\0"]) as number;
  const hashed = end < 0 ? text : apply(slice, text, [0, end]) as string;
  return createHash("sha256").update(hashed).digest("hex");
}

/** A script with the texts that V8 compiles around it. */
function wrapped(probed: Probed, [before, after]: readonly [string, string]): Probed {
  const code = before + probed.code + after;
  const insertions = probed.insertions.map((number, i) =>
    i % 2 === 0 ? number + before.length : number
  );
  return { ...probed, code, insertions, hash: hashOf(code) };
}

function blockOf(pc: number): number {
  return pc >>> 3 & 0xfffffff;
}

/** Whether a script's probes are fully described. */
function isWhole(probed: Partial<Probed> | undefined): probed is Probed {
  return probed?.code !== undefined && probed.insertions !== undefined;
}

const parts = { hashOf, isWhole, WrittenTexts };
module.exports = parts;
export type Parts = typeof parts;
export type { Probed, WrittenText };
