/** Random choices for hostile tests: the same seed makes the same ones. */

/** Numbers at which fields of 64 bits change their meaning. */
const EDGES: readonly bigint[] = [
  ...[0n, 1n, 2n, 7n, 8n, 4095n, 4096n, 4097n, 0x7fffn, 0xffffn],
  ...[2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 52n],
  ...[
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 4096n,
    2n ** 64n - 1n,
  ],
];

/** mulberry32; each stream of a seed is different. */
export class Random {
  #state: number;

  constructor(seed: number, stream = 0) {
    this.#state = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) ^
      Math.imul(stream + 1, 0x85ebca6b);
  }

  /** 32 random bits. */
  u32(): number {
    this.#state = this.#state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(this.#state ^ this.#state >>> 15, 1 | this.#state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return (mixed ^ mixed >>> 14) >>> 0;
  }

  /** An integer from 0 up to, but not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.u32() / 2 ** 32 * limit);
  }

  chance(percent: number): boolean {
    return this.u32() < percent / 100 * 2 ** 32;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  /** 64 bits, mostly near a number at which something changes. */
  u64(): bigint {
    if (this.chance(70)) {
      return BigInt.asUintN(64, this.pick(EDGES) + BigInt(this.below(5) - 2));
    }
    return BigInt(this.u32()) << 32n | BigInt(this.u32());
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.u32());
  }
}
