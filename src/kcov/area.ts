import { KCOV_WORDS_PER_CMP, PAGE_SIZE, PC_HIGH, WORD_SIZE, WORDS_PER_PAGE } from "./abi.ts";
import type { InstanceArea } from "./instance.ts";
import { SeenSet } from "./seen_set.ts";
import type { TargetPcs } from "./source.ts";
import folding, { type Folding } from "../folding/fold.cts";

/** Words of the area, from `from` up to but not including `to`. */
interface WordRange {
  readonly from: number;
  readonly to: number;
}

/** A stretch of the area that is to be stored in the kernel's page cache. */
export interface Stretch {
  /** In bytes. */
  readonly offset: number;
  readonly data: Uint8Array;
}

/** The stretch that the last {@linkcode Area.takeStretch} told the kernel: older data may still come back. */
interface Told extends WordRange {
  /** The words' values before, and now: two 32-bit halves a word. */
  readonly before: Uint32Array;
  readonly now: Uint32Array;
  /**
   * The number of reads of the device that had begun when the kernel had the stretch; Infinity before that.
   */
  readonly reads: number;
}

const { fold, PC_HIGH: SIGNED_PC_HIGH, BLOCK } = folding as unknown as Folding;
const RECORD = KCOV_WORDS_PER_CMP;
/** The upper half of a folded word that was taken once, with no block before. */
const FIRST_EDGE = 1 << 24;
const NOTHING: Uint32Array = new Uint32Array(0);

/**
 * The words that a client maps: `area[0]` counts, `area[1..]` are PCs. This is the server's copy; the
 * kernel's page cache holds another, which the client reads and writes. The two are kept equal by rules
 * that differ for page 0 and the rest:
 *
 * - Page 0 is in the cache only while nothing is appended, so whatever comes back from it is the truth.
 * - The other pages stay in the cache. Appended words are stored there, too. A client writes to words
 *   below the count (some sort their PCs in place) or clears the area.
 *
 * Memory is used only for pages that were written: a page that holds only zeros is not kept.
 */
export class Area implements InstanceArea {
  /** Capacity, `area[0]` included. */
  readonly words: number;
  readonly #pages = new Map<number, Uint32Array>();
  readonly #seen = new SeenSet();
  /** A bit for each page that the cache may hold whole. Some bits may be set in vain, but none is missing. */
  readonly #cached: Uint8Array;
  readonly #first: Uint32Array;
  /** Whether words were dropped since the client last set the count, for an area that folds. */
  #isClosed = false;
  /** Words above page 0 that were appended and are not in the cache yet. */
  #untold: WordRange = { from: 0, to: 0 };
  /** The former values of these words, piece by piece. */
  #before: Uint32Array[] = [];
  #told: Told = { from: 0, to: 0, before: NOTHING, now: NOTHING, reads: 0 };

  constructor(words: number) {
    this.words = words;
    this.#cached = new Uint8Array(Math.ceil(words / WORDS_PER_PAGE / 8));
    this.#pages.set(0, this.#first = new Uint32Array(PAGE_SIZE / 4));
  }

  /** In bytes. */
  get size(): number {
    return this.words * WORD_SIZE;
  }

  /** `area[0]`; any value that leaves no room counts as a full area. */
  get count(): number {
    return this.#first[1] !== 0 ? this.words - 1 : Math.min(this.#first[0], this.words - 1);
  }

  /**
   * Appends what was executed. PCs that do not fit are dropped, as in the kernel (`write_comp_data` and
   * `__sanitizer_cov_trace_pc` in `kernel/kcov.c`). Of `counts`, this leaves out PCs that were recorded since
   * the client last set the count.
   *
   * @param pcs In the form of {@linkcode TargetPcs}.
   * @returns how many were appended.
   */
  append(pcs: Uint32Array, kind: TargetPcs["kind"]): number {
    if (kind === "comparisons") return this.#appendRecords(pcs);
    if (kind === "folded") return this.#appendFolded(pcs);
    const start = this.count;
    const room = this.words - 1 - start;
    const added = kind === "counts" ? this.#unseen(pcs, room) : pcs.subarray(0, room);
    this.#put(start + 1, kernelAddresses(added));
    const count = start + added.length;
    this.#end(count, { from: start + 1, to: count + 1 });
    return added.length;
  }

  /**
   * The first PCs that were not recorded since the client last set the count, as many as there is room for.
   */
  #unseen(pcs: Uint32Array, room: number): Uint32Array {
    const unseen = new Uint32Array(Math.min(pcs.length, room));
    let length = 0;
    for (let i = 0; i < pcs.length && length < room; i++) {
      if (this.#seen.add(pcs[i])) unseen[length++] = pcs[i];
    }
    return unseen.subarray(0, length);
  }

  /** Appends records of four words each; the count counts records. */
  #appendRecords(halves: Uint32Array): number {
    const start = this.#first[1] !== 0 ? this.words : this.#first[0];
    const room = Math.max(0, Math.floor((this.words - 1) / RECORD) - start);
    const added = Math.min(Math.floor(halves.length / (2 * RECORD)), room);
    const count = start + added;
    const range = { from: 1 + start * RECORD, to: 1 + count * RECORD };
    this.#put(range.from, halves.subarray(0, added * 2 * RECORD));
    this.#end(count, range);
    return added;
  }

  /** Writes words, beginning with word `first`; each has two halves. */
  #put(first: number, halves: Uint32Array): void {
    let word = first;
    for (let at = 0; at < halves.length;) {
      const page = this.#pageFor(Math.floor(word / WORDS_PER_PAGE));
      const start = (word % WORDS_PER_PAGE) * 2;
      const part = halves.subarray(at, at + page.length - start);
      if (word >= WORDS_PER_PAGE) this.#before.push(page.slice(start, start + part.length));
      page.set(part, start);
      at += part.length;
      word += part.length / 2;
    }
  }

  /** Sets the count, after words of that range were written. */
  #end(count: number, { from, to }: WordRange): void {
    if (from >= to) return;
    this.#first[0] = count;
    if (to > WORDS_PER_PAGE) this.#noteUntold(Math.max(from, WORDS_PER_PAGE), to);
  }

  #noteUntold(from: number, to: number): void {
    const untold = this.#untold;
    this.#untold = untold.from === untold.to ? { from, to } : { from: untold.from, to };
  }

  /**
   * Words that are perhaps folded. Where they do not fit, the area is folded with them. Where they do not fit then
   * either, or are not all, it is full until the client sets the count.
   */
  #appendFolded(halves: Uint32Array): number {
    const start = this.count;
    const size = halves.length / 2;
    const room = this.words - 1 - start;
    const whole = this.#followedBy(halves);
    const isCut = halves.at(-1) !== PC_HIGH;
    if (size > room && !isCut && !this.#isClosed) {
      const folded = whole.slice();
      const count = fold(folded, start + size);
      if (count < this.words) {
        this.#replace(new Uint32Array(folded.buffer, WORD_SIZE, 2 * count));
        return size;
      }
    }
    const added = Math.min(size, room);
    this.#isClosed ||= isCut || added < size;
    const range = { from: start + 1, to: start + 1 + added };
    this.#put(range.from, new Uint32Array(whole.buffer, range.from * WORD_SIZE, 2 * added));
    this.#end(start + added, range);
    return added;
  }

  /** The words up to the count and others behind them, by their halves, with room for one word more. */
  #followedBy(halves: Uint32Array): Int32Array {
    const start = this.count;
    const whole = new Int32Array(2 * (start + 2) + halves.length);
    whole.set(new Int32Array(this.#copy(0, (start + 1) * WORD_SIZE).buffer));
    const at = 2 * (start + 1);
    whole.set(new Int32Array(halves), at);
    // Where they were collected for the first time since, their first edge has no block before.
    const isFirst = whole[at] >>> 28 === 0 && whole[at + 1] === FIRST_EDGE;
    if (isFirst && start > 0 && whole[at - 1] === SIGNED_PC_HIGH) {
      const previous = whole[at - 2] >>> 3 & BLOCK;
      whole[at] |= previous << 28;
      whole[at + 1] |= previous >>> 4;
    }
    return whole;
  }

  /** Has these words instead of all. What the kernel was not told of yet is undone before. */
  #replace(halves: Uint32Array): void {
    const count = halves.length / 2;
    this.#put(this.#untold.from, concatenate(this.#before));
    this.#untold = { from: 0, to: 0 };
    this.#before = [];
    this.#put(1, halves);
    this.#end(count, { from: 1, to: count + 1 });
  }

  /** Begins anew: `area[0]` becomes 0. The PCs stay where they are, as in the kernel. */
  reset(): void {
    this.#first[0] = 0;
    this.#first[1] = 0;
    this.#seen.clear();
    this.#isClosed = false;
    this.#untold = { from: 0, to: 0 };
    this.#before = [];
  }

  /**
   * The PCs above page 0 that the page cache lacks; each is given once. They are widened to whole pages where
   * the cache cannot hold the page yet, so that the client's first access to it needs no READ. Call
   * {@linkcode stretchStored} before the next call.
   */
  takeStretch(): Stretch | undefined {
    const { from, to } = this.#untold;
    if (from === to) return undefined;
    const firstPage = Math.floor(from / WORDS_PER_PAGE);
    const lastPage = Math.floor((to - 1) / WORDS_PER_PAGE);
    const start = this.isCached(firstPage) ? from * WORD_SIZE : firstPage * PAGE_SIZE;
    const end = this.isCached(lastPage) ? to * WORD_SIZE : (lastPage + 1) * PAGE_SIZE;
    for (let page = firstPage; page <= lastPage; page++) this.markCached(page);
    const data = this.#copy(start, Math.min(end, this.size));
    const now = new Uint32Array(data.buffer, from * WORD_SIZE - start, (to - from) * 2);
    this.#told = { from, to, before: concatenate(this.#before), now, reads: Infinity };
    this.#untold = { from: 0, to: 0 };
    this.#before = [];
    return { offset: start, data };
  }

  /**
   * The kernel has carried out the last stretch's store.
   *
   * @param reads The number of reads of the device that have begun by now; see {@linkcode write}.
   */
  stretchStored(reads: number): void {
    this.#told = { ...this.#told, reads };
  }

  /** Whether the page cache may hold a page whole. If it may not, the client has changed no word of it. */
  isCached(page: number): boolean {
    return (this.#cached[page >> 3] & (1 << (page & 7))) !== 0;
  }

  markCached(page: number): void {
    this.#cached[page >> 3] |= 1 << (page & 7);
  }

  /**
   * The bytes of whole pages, in answer to a READ of the kernel; beyond the area's end they are zeros. One
   * page is a view that is valid until the area changes.
   */
  read(offset: number, size: number): Uint8Array {
    if (offset % PAGE_SIZE === 0 && size === PAGE_SIZE) {
      const page = this.#pages.get(offset / PAGE_SIZE);
      return page ? new Uint8Array(page.buffer) : ZEROS;
    }
    return this.#copy(offset, offset + size);
  }

  #copy(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - start);
    for (let at = start; at < end;) {
      const index = Math.floor(at / PAGE_SIZE);
      const stop = Math.min(end, (index + 1) * PAGE_SIZE);
      const page = this.#pages.get(index);
      if (page) {
        const begin = at - index * PAGE_SIZE;
        bytes.set(new Uint8Array(page.buffer, begin, stop - at), at - start);
      }
      at = stop;
    }
    return bytes;
  }

  /**
   * Takes the client's stores, as the kernel writes them back.
   *
   * @param options `read`: the number of the device's read that brought the data. Data that was read
   * before the kernel carried out {@linkcode takeStretch}'s store lacks the stored words. These
   * are put back.
   * @returns whether the client changed `area[0]`.
   */
  write(offset: number, data: Uint8Array, options: { read: number }): boolean {
    const low = this.#first[0];
    const high = this.#first[1];
    const end = Math.min(offset + data.length, this.size);
    for (let at = offset; at < end;) {
      const index = Math.floor(at / PAGE_SIZE);
      const stop = Math.min(end, (index + 1) * PAGE_SIZE);
      this.#writePage(index, at - index * PAGE_SIZE, data.subarray(at - offset, stop - offset));
      at = stop;
    }
    if (options.read <= this.#told.reads) this.#putBack(offset, end);
    if (this.#first[0] === low && this.#first[1] === high) return false;
    // Mostly a reset. Whatever count the client chose, all PCs from now on are recorded anew.
    this.#seen.clear();
    this.#isClosed = false;
    return true;
  }

  #writePage(index: number, begin: number, data: Uint8Array): void {
    if (index > 0 && data.length === PAGE_SIZE && isZero(data)) this.#pages.delete(index);
    else new Uint8Array(this.#pageFor(index).buffer).set(data, begin);
  }

  /** Restores the words that the kernel was told last, if they came back with their former values. */
  #putBack(start: number, end: number): void {
    const told = this.#told;
    const from = Math.max(told.from, Math.ceil(start / WORD_SIZE));
    const to = Math.min(told.to, Math.floor(end / WORD_SIZE));
    for (let word = from; word < to; word++) {
      const page = this.#pageFor(Math.floor(word / WORDS_PER_PAGE));
      const at = (word % WORDS_PER_PAGE) * 2;
      const i = (word - told.from) * 2;
      if (page[at] !== told.before[i] || page[at + 1] !== told.before[i + 1]) continue;
      page[at] = told.now[i];
      page[at + 1] = told.now[i + 1];
    }
  }

  #pageFor(index: number): Uint32Array {
    let page = this.#pages.get(index);
    if (!page) this.#pages.set(index, page = new Uint32Array(PAGE_SIZE / 4));
    return page;
  }
}

const ZEROS = new Uint8Array(PAGE_SIZE);

function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, ZEROS) === 0;
}

/** Makes words, by their halves, of lower halves. */
function kernelAddresses(pcs: Uint32Array): Uint32Array {
  const halves = new Uint32Array(pcs.length * 2);
  for (let i = 0; i < pcs.length; i++) {
    halves[2 * i] = pcs[i];
    halves[2 * i + 1] = PC_HIGH;
  }
  return halves;
}

function concatenate(pieces: readonly Uint32Array[]): Uint32Array {
  const whole = new Uint32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
