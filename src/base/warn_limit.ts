/** How often a line may be said: so many times in so many ms. */
export interface WarnLimits {
  readonly most: number;
  readonly interval: number;
}

/** Keeps somebody who is not trusted from filling a log. */
export class WarnLimit {
  readonly #warn: (line: string) => void;
  readonly #limits: WarnLimits;
  #began = -Infinity;
  #said = 0;

  constructor(warn: (line: string) => void, limits: WarnLimits) {
    this.#warn = warn;
    this.#limits = limits;
  }

  /** Says a line, unless there were many of late: then the last of them says that more are left out. */
  say(line: string): void {
    const now = performance.now();
    if (now - this.#began > this.#limits.interval) {
      this.#began = now;
      this.#said = 0;
    }
    this.#said++;
    if (this.#said < this.#limits.most) this.#warn(line);
    else if (this.#said === this.#limits.most) {
      const seconds = this.#limits.interval / 1000;
      this.#warn(
        `${line} (others like it are left out for up to ${seconds} s)`,
      );
    }
  }
}
