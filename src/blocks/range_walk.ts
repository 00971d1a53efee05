/** Walks a syntax tree without recursion and collects the functions and slots that visitors find. */

import type { AnyNode } from "acorn";
import { nextToken } from "./next_token.ts";
import { SlotMap } from "./slot_map.ts";

/** For each type of node: records its slots and functions, and goes on to its children. */
export type Visitors<T extends AnyNode["type"] = AnyNode["type"]> = {
  readonly [K in T]: (walk: RangeWalk, node: Extract<AnyNode, { type: K }>) => void;
};

/** Visits a node that records nothing, neither itself nor below it. */
export function none(): void {}

/** The entry of a function that is entered at an unknown position: it is no position. */
export const NOWHERE = 0xffffffff;

/** A function, and the range [start, end) under which V8 reports it. */
export interface FunctionRange {
  readonly start: number;
  readonly end: number;
  /** The position at which V8 enters the function: see `BlockTable.functionEntry`. */
  readonly entry: number;
  isResumed: boolean;
}

/** A further range under which some version of V8 reports function `owner`. */
export interface FunctionAlias {
  readonly start: number;
  readonly end: number;
  readonly owner: number;
}

/**
 * One walk over one source. A node is visited before its children. `SlotMap` relies on that, and it numbers a
 * function before those inside it. Offsets are UTF-16 units.
 */
export class RangeWalk {
  readonly slots: SlotMap;
  readonly functions: FunctionRange[] = [];
  readonly aliases: FunctionAlias[] = [];
  readonly #source: string;
  readonly isModule: boolean;
  readonly #nodes: AnyNode[] = [];
  readonly #owners: number[] = [];
  #owner = 0;

  constructor(source: string, isModule: boolean) {
    this.slots = new SlotMap(source.length);
    this.#source = source;
    this.isModule = isModule;
  }

  /** Visits `root` and all nodes that are reached from it. */
  run(root: AnyNode, visitors: Visitors): void {
    const table = visitors as Record<string, (walk: RangeWalk, node: AnyNode) => void>;
    this.go(root);
    while (this.#nodes.length > 0) {
      const node = this.#nodes.pop()!;
      this.#owner = this.#owners.pop()!;
      table[node.type](this, node);
    }
  }

  /** Goes on to a child; `owner` is the function whose code it is, by default the current one. */
  go(child: AnyNode | null | undefined, owner: number = this.#owner): void {
    if (!child) return;
    this.#nodes.push(child);
    this.#owners.push(owner);
  }

  /** Goes on to each child; holes of arrays are skipped. */
  goAll(children: readonly (AnyNode | null)[], owner: number = this.#owner): void {
    for (const child of children) this.go(child, owner);
  }

  /** Starts a function. @returns its number */
  addFunction(start: number, end: number, entry: number): number {
    return this.functions.push({ start, end, entry, isResumed: false }) - 1;
  }

  /** The function may stop somewhere and be resumed. */
  addResumption(owner: number = this.#owner): void {
    this.functions[owner].isResumed = true;
  }

  addAlias(owner: number, start: number, end: number): void {
    this.aliases.push({ owner, start, end });
  }

  addRange(start: number, end: number): void {
    this.slots.addRange(this.#owner, start, end);
  }

  addContinuation(start: number): void {
    this.slots.addContinuation(this.#owner, start);
  }

  /** Offset of the first token at or after `offset`. */
  tokenAfter(offset: number): number {
    return nextToken(this.#source, offset, this);
  }

  /** Whether the source has `text` at `offset`. */
  startsWith(text: string, offset: number): boolean {
    return this.#source.startsWith(text, offset);
  }

  /** `offset`, or the end of the `;` if that is the next token. */
  afterSemicolon(offset: number): number {
    const token = this.tokenAfter(offset);
    return this.#source[token] === ";" ? token + 1 : offset;
  }
}
