import { readSync, writeSync } from "node:fs";
import { type AreaFile, type Mode, WORD_SIZE } from "../../kcov/mod.ts";

const NOTHING: Uint32Array = new Uint32Array(0);
const ZERO = new Uint8Array(WORD_SIZE);
/** Words of a record: a PC, or `KCOV_WORDS_PER_CMP` in `kernel/kcov.c`. */
const RECORD = { pc: 1, fold: 1, cmp: 4 } as const;

/**
 * An area of a target's own, for probes to write into where clients have none in memory that targets map. The
 * server is its client. It is as large as the largest area that is filled from it.
 */
export class TraceBuffer implements Disposable {
  readonly mode: Mode;
  readonly #file: AreaFile;
  #words = 0;

  constructor(mode: Mode, file: AreaFile) {
    this.mode = mode;
    this.#file = file;
  }

  get path(): string {
    return this.#file.path;
  }

  get words(): number {
    return this.#words;
  }

  /** Makes it larger; its content stays. */
  grow(words: number): void {
    if (words <= this.#words) return;
    this.#file.grow(words * WORD_SIZE);
    this.#words = words;
  }

  /**
   * Takes the records, in the form of `TargetPcs`. Nobody may be writing, or a record may be torn.
   */
  drain(): Uint32Array {
    if (this.#words === 0) return NOTHING;
    const size = RECORD[this.mode];
    const most = Math.floor((this.#words - 1) / size);
    const count = Math.min(this.#read({ from: 0, words: 1 })[0], most);
    if (count === 0) return NOTHING;
    const halves = this.#read({ from: 1, words: count * size });
    writeSync(this.#file.fd, ZERO, 0, WORD_SIZE, 0);
    if (this.mode !== "pc") return halves;
    const pcs = halves.subarray(0, count);
    for (let i = 0; i < count; i++) pcs[i] = halves[2 * i];
    return pcs;
  }

  #read({ from, words }: { from: number; words: number }): Uint32Array {
    const bytes = new Uint8Array(words * WORD_SIZE);
    for (let at = 0; at < bytes.length;) {
      const size = readSync(this.#file.fd, bytes, at, bytes.length - at, from * WORD_SIZE + at);
      if (size === 0) break;
      at += size;
    }
    return new Uint32Array(bytes.buffer);
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}
