/** Takes lines for the user. The code that starts the program makes one. */
export interface Reporter {
  /** @param line Says what has happened, to what, and what to do about it. */
  warn(line: string): void;
}

/** How many lines may be said in how many ms. */
export interface ReportLimits {
  readonly most: number;
  readonly interval: number;
}

/** Keeps somebody who is not trusted from filling a log. */
export class LimitedReporter implements Reporter {
  readonly #reporter: Reporter;
  readonly #limits: ReportLimits;
  #began = -Infinity;
  #said = 0;

  constructor(reporter: Reporter, limits: ReportLimits) {
    this.#reporter = reporter;
    this.#limits = limits;
  }

  /** Says a line, unless there were many lately: then the last of them says that more are left out. */
  warn(line: string): void {
    const now = performance.now();
    if (now - this.#began > this.#limits.interval) {
      this.#began = now;
      this.#said = 0;
    }
    this.#said++;
    if (this.#said < this.#limits.most) this.#reporter.warn(line);
    else if (this.#said === this.#limits.most) {
      const seconds = this.#limits.interval / 1000;
      this.#reporter.warn(`${line} (others like it are left out for up to ${seconds} s)`);
    }
  }
}
