import { lineAt, lineStarts } from "../blocks/line_positions.ts";
import { LONGEST_STRETCH, outcomeOf } from "./edit_model.ts";

/**
 * The texts that a running script goes through on its way to probes, and back: see `Debugger.setScriptSource`,
 * V8's LiveEdit (`debug/liveedit.cc` and `debug/liveedit-diff.cc`).
 *
 * V8 compares the text that it has with the new one, by a table of lines times lines, then each stretch of lines
 * that differ by characters times characters if it is shorter than {@linkcode LONGEST_STRETCH}. What counts as changed
 * may not be on the stack, nor suspended, nor the top level of an ES module. A function that begins or ends within
 * what differs, or where that begins or ends, is another one to V8: it says `Ok`, and what there is of the old one
 * goes on as it was. So there are many small edits: each is over few lines, lines that stay are between those
 * that change, and nothing is put where a function begins or ends.
 */

/** A script's probes, for a script that runs. Offsets are UTF-16 units of its source. */
export interface LiveScript {
  /** Lower half of the PC of its first block, and how many there are. */
  readonly firstPc: number;
  readonly blocks: number;
  /** Insertions in the order of the source: where, what, and for which block. */
  readonly at: readonly number[];
  readonly text: readonly string[];
  readonly block: readonly number[];
  /** The first block of each function, and one element more. */
  readonly firstBlock: readonly number[];
  /** Functions by where V8 has them begin, the outer first: the row of each, and [start, end). */
  readonly functionRow: readonly number[];
  readonly functionStart: readonly number[];
  readonly functionEnd: readonly number[];
  /** Functions that may be suspended: generators, and those that await. */
  readonly resumed: readonly number[];
  /** Functions that have run for good: the top level, and what is static in its classes. */
  readonly over: readonly number[];
  /** Functions that V8 does not change: the fields of classes. */
  readonly fixed: readonly number[];
  /** Functions a part of which V8 does not change: where another begins or ends. */
  readonly partly: readonly number[];
}

/** A text to have V8 take. */
export interface LiveText {
  readonly text: string;
  /** Offsets into the source, each followed by how many characters come there. */
  readonly insertions: readonly number[];
}

/** V8's answer: `Ok`, or why not. */
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

/** Characters of lines in a row that one edit changes: a table has the square of that. */
const STRETCH = 250;
/** Lines around what V8 would lose, in which others may be to blame. */
const NEAR = 3;
/** Lines that an edit is over: to begin with, and at least and at most. */
export const WINDOW = { first: 1000, least: 100, most: 2500 } as const;
/** Answers in V8's place: V8 would say `Ok`, and leave the functions as they are. */
const FIELDS: EditStatus = "ClassFields";
const PARTLY: EditStatus = "FunctionBoundary";
const LONG_LINE: EditStatus = "LongLine";
/** Refusals that may end by themselves. */
const PASSING = /^BlockedByActive/;

/** The way of one script. */
export class LivePlan {
  readonly #source: string;
  readonly #script: LiveScript;
  readonly #isModule: boolean;
  /** Where lines begin, and the length of the source. */
  readonly #lineStart: readonly number[];
  readonly #items: readonly Item[];
  /** Whether probes are put in, or taken out. */
  #isToBeIn = true;
  /** Sets that are tried next, the last first: parts of one that was refused. */
  readonly #parts: Item[][] = [];
  /** The changes of the text that was handed out last. */
  #chosen: Item[] = [];
  /** Where the next window begins, among the items. */
  #cursor = 0;

  /** @param isModule Whether V8 has it as an ES module. */
  constructor(source: string, script: LiveScript, { isModule }: { isModule: boolean }) {
    this.#source = source;
    this.#script = script;
    this.#isModule = isModule;
    this.#lineStart = lineStarts(source);
    this.#items = this.#makeItems();
  }

  #makeItems(): Item[] {
    const { at, block, firstBlock, over, fixed } = this.#script;
    const leftOut = new Set([...over, ...fixed]);
    const parts = new Map<number, number[]>();
    for (const [index, owner] of block.entries()) {
      const known = parts.get(owner);
      if (known) known.push(index);
      else parts.set(owner, [index]);
    }
    const items = [...parts].map(([owner, parts]): Item => {
      const lines = [...new Set(parts.map((index) => this.#lineAt(at[index])))];
      const isLong = lines.some((line) => this.#lengthWith(parts, line) >= LONGEST_STRETCH);
      const refusal = isLong ? { refusal: LONG_LINE } : {};
      return { row: lineAt(firstBlock, owner), lines, parts, isIn: false, ...refusal };
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
    const { fixed, partly } = this.#script;
    const refused = new Map([
      ...partly.map((row): [number, EditStatus] => [row, PARTLY]),
      ...fixed.map((row): [number, EditStatus] => [row, FIELDS]),
    ]);
    for (const { row, refusal } of this.#items) if (refusal) refused.set(row, refusal);
    return {
      done: this.#items.filter(({ isIn }) => isIn).length,
      all: this.#items.length,
      refused: [...refused].map(([row, status]) => ({ row, status })),
    };
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
    for (const item of this.#items) if (item.refusal !== LONG_LINE) delete item.refusal;
  }

  /** Tries again what was refused for a reason that may have gone. @returns whether there is any. */
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
  next(lines: number): LiveText | undefined {
    for (;;) {
      const chosen = this.#parts.pop() ?? this.#takeWindow(lines);
      if (chosen.length === 0) return undefined;
      const text = this.#thin(chosen);
      if (text) return text;
    }
  }

  /** Leaves out items until V8 takes the text for what it is; undefined where it never does. */
  #thin(items: readonly Item[]): LiveText | undefined {
    let chosen = [...items];
    for (;;) {
      const wanted = new Set(chosen);
      const isIn = (item: Item) => wanted.has(item) ? this.#isToBeIn : item.isIn;
      const text = this.#compose(isIn);
      const lost = this.#lostBy(chosen, isIn, text);
      if (!lost) {
        this.#chosen = chosen;
        return { text, insertions: this.#insertions(isIn) };
      }
      if (chosen.length === 1) {
        chosen[0].refusal = PARTLY;
        return undefined;
      }
      chosen = this.#sparser(chosen, lost);
    }
  }

  /** The lines of functions that V8 would lose, or not take for changed; undefined where all is well. */
  #lostBy(
    chosen: readonly Item[],
    isIn: (item: Item) => boolean,
    newText: string,
  ): { from: number; to: number }[] | undefined {
    const { functionRow, functionStart, functionEnd } = this.#script;
    const [shift, newShift] = [this.#shifts(({ isIn }) => isIn), this.#shifts(isIn)];
    const functions = functionStart.map((start, i) => ({
      start: start + shift(start),
      end: functionEnd[i] + shift(functionEnd[i]),
      newStart: start + newShift(start),
      newEnd: functionEnd[i] + newShift(functionEnd[i]),
    }));
    const { lost, changed } = outcomeOf({ text: this.current, newText }, functions);
    const rows = new Set([...changed].map((index) => index === -1 ? 0 : functionRow[index]));
    const isSeen = chosen.every(({ row }) => rows.has(row));
    const isTop = this.#isModule && changed.has(-1);
    if (lost.size === 0 && isSeen && !isTop) return undefined;
    return [...lost].map((index) => ({
      from: this.#lineAt(functionStart[index]),
      to: this.#lineAt(functionEnd[index]),
    }));
  }

  /** By how much insertions move what is at an offset. */
  #shifts(isIn: (item: Item) => boolean): (offset: number) => number {
    const { at, text } = this.#script;
    const wanted = this.#wanted(isIn);
    const offsets: number[] = [-1];
    const sums: number[] = [0];
    for (let i = 0; i < at.length; i++) {
      if (wanted[i] === 0) continue;
      offsets.push(at[i]);
      sums.push(sums[sums.length - 1] + text[i].length);
    }
    return (offset) => sums[lineAt(offsets, offset)];
  }

  /** Fewer of these: every other near what would be lost. */
  #sparser(items: readonly Item[], lost: readonly { from: number; to: number }[]): Item[] {
    const isNear = ({ lines }: Item) =>
      lost.some(({ from, to }) => lines[0] <= to + NEAR && lines.at(-1)! >= from - NEAR);
    const near = items.filter(isNear);
    const some = near.length > 0 ? near : items;
    const rows = [...new Set(some.map(({ row }) => row))];
    const dropped = rows.length > 1
      ? new Set(rows.filter((_, i) => i % 2 === 1))
      : new Set<number>();
    const rest = new Set(
      dropped.size > 0
        ? some.filter(({ row }) => dropped.has(row))
        : some.slice(Math.max(1, some.length >> 1)),
    );
    // The only item near may not be the one to blame.
    if (rest.size === 0) return items.slice(0, items.length >> 1);
    return items.filter((item) => !rest.has(item));
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

  #insertions(isIn: (item: Item) => boolean): number[] {
    const { at, text } = this.#script;
    const wanted = this.#wanted(isIn);
    const lengths = new Map<number, number>();
    for (let i = 0; i < at.length; i++) {
      if (wanted[i] !== 0) lengths.set(at[i], (lengths.get(at[i]) ?? 0) + text[i].length);
    }
    return [...lengths].flat();
  }

  /** Which insertions are made. */
  #wanted(isIn: (item: Item) => boolean): Uint8Array {
    const wanted = new Uint8Array(this.#script.at.length);
    for (const item of this.#items) {
      if (isIn(item)) { for (const part of item.parts) wanted[part] = 1; }
    }
    return wanted;
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
      for (const line of item.lines) {
        lengths.set(line, this.#lengthWith(item.parts, line, lengths.get(line)));
      }
    }
    return chosen;
  }

  #isOpen({ isIn, refusal }: Item): boolean {
    return isIn !== this.#isToBeIn && refusal === undefined;
  }

  /** Characters of a line with insertions more than it has. */
  #lengthWith(parts: readonly number[], line: number, length = this.#lineLength(line)): number {
    const { at, text } = this.#script;
    const own = parts.filter((index) => this.#lineAt(at[index]) === line);
    return own.reduce((sum, index) => sum + text[index].length, length);
  }

  /** Whether an item's lines make no stretch too long of those that are chosen already. */
  #fits(item: Item, lengths: ReadonlyMap<number, number>): boolean {
    return item.lines.every((line) => {
      if (lengths.has(line)) return true;
      let length = 0;
      for (let other = line - 1; lengths.has(other); other--) length += lengths.get(other)!;
      for (let other = line + 1; lengths.has(other); other++) length += lengths.get(other)!;
      return length === 0 || length + this.#lengthWith(item.parts, line) <= STRETCH;
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
}
