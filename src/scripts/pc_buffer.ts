/** Gathers lower halves of PCs without an allocation for each. */
export class PcBuffer {
  #pcs = new Uint32Array(1024);
  /** The memory of the last {@linkcode drain}'s result. */
  #drained = new Uint32Array(1024);
  #length = 0;

  push(pc: number): void {
    if (this.#length === this.#pcs.length) {
      const grown = new Uint32Array(this.#length * 2);
      grown.set(this.#pcs);
      this.#pcs = grown;
    }
    this.#pcs[this.#length++] = pc;
  }

  /** The gathered PCs; the view is valid until the next drain. */
  drain(): Uint32Array {
    const pcs = this.#pcs;
    this.#pcs = this.#drained;
    this.#drained = pcs;
    const length = this.#length;
    this.#length = 0;
    return pcs.subarray(0, length);
  }
}
