import { lineAt, lineStarts } from "../blocks/line_positions.ts";

/**
 * The texts that a running script goes through on its way to probes, and back: see `Debugger.setScriptSource`,
 * V8's LiveEdit (`debug/liveedit.cc` and `debug/liveedit-diff.cc`).
 *
 * V8 compares the text that it has with the new one, by a table of lines times lines, then each stretch of lines
 * that differ by characters times characters if it is shorter than {@linkcode LONGEST_STRETCH}; else all functions in
 * the stretch, and what is around them there, count as changed. What counts as changed may not be on the stack, nor
 * suspended, nor the top level of an ES module. So there are many small edits: each is over few lines, and lines
 * that stay are between those that change.
 */

/** What a script gets; offsets are UTF-16 units of its source. */
export interface LiveScript {
  /** Insertions in the order of the source: where, what, and for which block. */
  readonly at: readonly number[];
  readonly text: readonly string[];
  readonly block: readonly number[];
  /** The first block of each function, and one element more. */
  readonly firstBlock: readonly number[];
  /** Functions that may be suspended: generators, and those that await. */
  readonly resumed: readonly number[];
  /** Functions that are left as they are: the top level has run, and V8 changes that of no ES module. */
  readonly fixed: readonly number[];
}

/** What V8 answers; `Ok`, or why not. */
export type EditStatus = string;

/** The insertions of one block. */
interface Item {
  readonly row: number;
  /** Lines, ascending. */
  readonly lines: readonly number[];
  /** Indices of insertions. */
  readonly parts: readonly number[];
  isIn: boolean;
  /** Why V8 has refused to change it. */
  refusal?: EditStatus;
}

/** How far a script has come. */
export interface LiveState {
  /** Blocks that have their probes now, and those that are to have some. */
  readonly done: number;
  readonly all: number;
  /** Functions that V8 refuses to change now, by their rows, and why. */
  readonly refused: readonly { readonly row: number; readonly status: EditStatus }[];
}

/** Characters: V8's `CHUNK_LEN_LIMIT`. */
const LONGEST_STRETCH = 800;
/** Characters of lines in a row that one edit changes: a table has the square of that. */
const STRETCH = 250;
/** Lines that an edit is over: to begin with, and at least and at most. */
export const WINDOW = { first: 1000, least: 100, most: 2500 } as const;
/** What may change by itself. */
const PASSING = /^BlockedByActive/;

/** The way of one script. */
export class LivePlan {
  readonly #source: string;
  readonly #script: LiveScript;
  /** Where lines begin, and the length of the source. */
  readonly #lineStart: readonly number[];
  readonly #items: readonly Item[];
  /** Whether probes are put in, or taken out. */
  #isToBeIn = true;
  /** Sets that are tried next, the last first: parts of one that was refused. */
  readonly #parts: Item[][] = [];
  /** What the text that was handed out last changes. */
  #chosen: Item[] = [];
  /** Where the next window begins, among the items. */
  #cursor = 0;

  constructor(source: string, script: LiveScript) {
    this.#source = source;
    this.#script = script;
    this.#lineStart = lineStarts(source);
    this.#items = this.#makeItems();
  }

  #makeItems(): Item[] {
    const { at, block, firstBlock, fixed } = this.#script;
    const leftOut = new Set(fixed);
    const parts = new Map<number, number[]>();
    for (const [index, owner] of block.entries()) {
      const known = parts.get(owner);
      if (known) known.push(index);
      else parts.set(owner, [index]);
    }
    const items = [...parts].map(([owner, parts]) => {
      const lines = [...new Set(parts.map((index) => this.#lineAt(at[index])))];
      return { row: lineAt(firstBlock, owner), lines, parts, isIn: false };
    });
    return items.filter(({ row }) => !leftOut.has(row))
      .sort((a, b) => a.lines[0] - b.lines[0] || a.row - b.row);
  }

  #lineAt(offset: number): number {
    return lineAt(this.#lineStart, offset);
  }

  #lineLength(line: number): number {
    return (this.#lineStart[line + 1] ?? this.#source.length) - this.#lineStart[line];
  }

  get state(): LiveState {
    const refused = new Map<number, EditStatus>();
    for (const { row, refusal } of this.#items) if (refusal) refused.set(row, refusal);
    return {
      done: this.#items.filter(({ isIn }) => isIn).length,
      all: this.#items.length,
      refused: [...refused].map(([row, status]) => ({ row, status })),
    };
  }

  /** Which blocks have their insertions now. */
  get insertedBlocks(): Set<number> {
    const { block } = this.#script;
    return new Set(this.#items.filter(({ isIn }) => isIn).map(({ parts }) => block[parts[0]]));
  }

  /** Whether anything of it differs from the source. */
  get isChanged(): boolean {
    return this.#items.some(({ isIn }) => isIn);
  }

  /** From here on, the texts lead back to the source, or to probes again. */
  turn(isToBeIn: boolean): void {
    this.#isToBeIn = isToBeIn;
    this.#parts.length = 0;
    this.#cursor = 0;
    for (const item of this.#items) delete item.refusal;
  }

  /** What was refused for a reason that may have gone is tried again. @returns whether there is such a thing. */
  retry(): boolean {
    const refused = this.#items.filter(({ refusal }) => refusal && PASSING.test(refusal));
    for (const item of refused) delete item.refusal;
    this.#cursor = 0;
    return refused.length > 0;
  }

  /**
   * The next text to have V8 take; undefined when there is nothing more to be done for now.
   *
   * @param lines That an edit may be over.
   */
  next(lines: number): string | undefined {
    this.#chosen = this.#parts.pop() ?? this.#takeWindow(lines);
    if (this.#chosen.length === 0) return undefined;
    const chosen = new Set(this.#chosen);
    return this.#compose((item) => chosen.has(item) ? this.#isToBeIn : item.isIn);
  }

  /** The script's text as V8 has it. */
  get current(): string {
    return this.#compose(({ isIn }) => isIn);
  }

  #compose(isIn: (item: Item) => boolean): string {
    const { at, text } = this.#script;
    const wanted = new Uint8Array(at.length);
    for (const item of this.#items) {
      if (isIn(item)) { for (const part of item.parts) wanted[part] = 1; }
    }
    let code = "";
    let from = 0;
    for (let i = 0; i < at.length; i++) {
      if (wanted[i] === 0) continue;
      code += this.#source.slice(from, at[i]) + text[i];
      from = at[i];
    }
    return code + this.#source.slice(from);
  }

  /** Items from the first that is to be changed on, over so many lines; with lines between that stay. */
  #takeWindow(most: number): Item[] {
    const chosen: Item[] = [];
    const lengths = new Map<number, number>();
    let end = Infinity;
    for (let i = this.#cursor; i < this.#items.length; i++) {
      const item = this.#items[i];
      if (!this.#isOpen(item)) continue;
      if (chosen.length === 0) this.#cursor = i;
      if (item.lines[0] >= end) break;
      if (chosen.length > 0 && item.lines.at(-1)! >= end) continue;
      if (!this.#fits(item, lengths)) continue;
      chosen.push(item);
      end = Math.min(end, item.lines[0] + most);
      for (const line of item.lines) lengths.set(line, this.#lengthWith(item, line, lengths));
    }
    return chosen;
  }

  #isOpen({ isIn, refusal }: Item): boolean {
    return isIn !== this.#isToBeIn && refusal === undefined;
  }

  #lengthWith({ parts }: Item, line: number, lengths: ReadonlyMap<number, number>): number {
    const { at, text } = this.#script;
    const own = parts.filter((index) => this.#lineAt(at[index]) === line);
    return own.reduce(
      (sum, index) => sum + text[index].length,
      lengths.get(line) ?? this.#lineLength(line),
    );
  }

  /** Whether an item's lines make no stretch too long of those that are chosen already. */
  #fits(item: Item, lengths: ReadonlyMap<number, number>): boolean {
    return item.lines.every((line) => {
      if (lengths.has(line)) return true;
      let length = 0;
      for (let other = line - 1; lengths.has(other); other--) length += lengths.get(other)!;
      for (let other = line + 1; lengths.has(other); other++) length += lengths.get(other)!;
      return length === 0 || length + this.#lengthWith(item, line, lengths) <= STRETCH;
    });
  }

  /** V8's answer to the text that was handed out last. */
  answer(status: EditStatus): void {
    const chosen = this.#chosen;
    this.#chosen = [];
    if (status === "Ok") {
      for (const item of chosen) {
        item.isIn = this.#isToBeIn;
        delete item.refusal;
      }
      return;
    }
    const parts = this.#split(chosen, status);
    if (parts.length > 1) this.#parts.push(...parts);
    else for (const item of chosen) item.refusal = status;
  }

  /** Parts of what was refused that may go through; one where there are none. */
  #split(items: Item[], status: EditStatus): Item[][] {
    if (this.#isOneLongLine(items)) return [items];
    const resumed = new Set(this.#script.resumed);
    const may = items.filter(({ row }) => resumed.has(row));
    if (may.length > 0 && may.length < items.length) {
      return [may, items.filter(({ row }) => !resumed.has(row))];
    }
    const rows = [...new Set(items.map(({ row }) => row))];
    if (rows.length > 1) {
      const first = new Set(rows.slice(0, rows.length >> 1));
      const isFirst = ({ row }: Item) => first.has(row);
      return [items.filter((item) => !isFirst(item)), items.filter(isFirst)];
    }
    // Of one function that is in use, no part can be changed.
    if (items.length === 1 || PASSING.test(status)) return [items];
    return [items.slice(items.length >> 1), items.slice(0, items.length >> 1)];
  }

  /** V8 takes all of such a line for changed: parts of it make no difference. */
  #isOneLongLine(items: readonly Item[]): boolean {
    const lines = new Set(items.flatMap(({ lines }) => lines));
    const [line] = lines;
    return lines.size === 1 && this.#lineLength(line) >= LONGEST_STRETCH;
  }
}
