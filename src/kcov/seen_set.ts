/** Bits of one page of the set: PCs are 8 apart, so a page spans 256 KiB of PC space. */
const PAGE_BITS = 1 << 15;

/**
 * A set of PCs, by their lower 32 bits, that is cheap to fill and to empty again and again. PCs lie in
 * few dense stretches, one a script; memory follows the stretches that were touched.
 */
export class SeenSet {
  readonly #pages = new Map<number, Uint32Array>();
  readonly #touched: Uint32Array[] = [];
  readonly #isTouched = new Set<Uint32Array>();
  #lastKey = -1;
  #last: Uint32Array = new Uint32Array(0);

  #page(key: number): Uint32Array {
    if (key === this.#lastKey) return this.#last;
    let page = this.#pages.get(key);
    if (!page) this.#pages.set(key, page = new Uint32Array(PAGE_BITS / 32));
    if (!this.#isTouched.has(page)) {
      this.#isTouched.add(page);
      this.#touched.push(page);
    }
    this.#lastKey = key;
    return this.#last = page;
  }

  /** Adds a PC; returns whether it is new. */
  add(pc: number): boolean {
    const bit = pc >>> 3;
    const page = this.#page(bit >>> 15);
    const index = (bit & (PAGE_BITS - 1)) >>> 5;
    const mask = 1 << (bit & 31);
    if (page[index] & mask) return false;
    page[index] |= mask;
    return true;
  }

  clear(): void {
    for (const page of this.#touched) page.fill(0);
    this.#touched.length = 0;
    this.#isTouched.clear();
    this.#lastKey = -1;
  }
}
