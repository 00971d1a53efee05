import { StateError } from "../blocks/state_error.ts";

/** A script that may be asked for again. */
interface Kept<Result> {
  readonly source: string;
  readonly result: Promise<Result>;
}

/**
 * What was made of scripts, or why it cannot be, for those who ask for the same again. What nobody has asked
 * for lately goes, and so does what may be tried again.
 */
export class KeptScripts<Result> {
  /** Characters of the sources that are kept. */
  readonly #most: number;
  /** By the scripts' keys, those asked for last behind. */
  readonly #kept = new Map<string, Kept<Result>>();
  #length = 0;

  /** @param most Characters of the sources of which something is kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** @param source Of which it must have been made: keys may be those of several sources. */
  find(key: string, source: string): Promise<Result> | undefined {
    const kept = this.#kept.get(key);
    if (kept?.source !== source) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept.result;
  }

  add(key: string, kept: Kept<Result>): void {
    this.#drop(key);
    this.#kept.set(key, kept);
    this.#length += kept.source.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#length <= this.#most) break;
      this.#drop(oldest);
    }
    kept.result.catch((error) => {
      if (error instanceof StateError && this.#kept.get(key) === kept) this.#drop(key);
    });
  }

  #drop(key: string): void {
    this.#length -= this.#kept.get(key)?.source.length ?? 0;
    this.#kept.delete(key);
  }
}
