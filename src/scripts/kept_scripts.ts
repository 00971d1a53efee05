import { StateError } from "../blocks/state_error.ts";

/** The result for a script that may be asked for again. */
interface Kept<Result> {
  readonly source: string;
  readonly result: Promise<Result>;
}

/**
 * Results for scripts, or the errors why there is none, for further targets that ask for the same script. A
 * result that nobody has asked for lately is dropped, and so is an error that may pass.
 */
export class KeptScripts<Result> {
  /** Limit of the sources' characters. */
  readonly #most: number;
  /** By the scripts' keys; the one that was asked for last comes last. */
  readonly #kept = new Map<string, Kept<Result>>();
  #length = 0;

  /** @param most Characters of all sources whose results are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** @param source The result must have been made from it: a key may stand for several sources. */
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
