import cliProgress from "cli-progress";

/** ms before which nothing is shown. */
const PATIENCE = 1000;

/** Shows on standard error how far something is that takes longer than a second, where that is a terminal. */
export class ProgressBar implements Disposable {
  readonly #what: string;
  readonly #began = performance.now();
  #bar: cliProgress.SingleBar | undefined;

  /** @param what Is counted. */
  constructor(what: string) {
    this.#what = what;
  }

  update(done: number, total: number): void {
    if (!process.stderr.isTTY) return;
    if (!this.#bar && performance.now() - this.#began > PATIENCE) {
      const format = `{bar} {value} of {total} ${this.#what}`;
      this.#bar = new cliProgress.SingleBar({ format, clearOnComplete: true, hideCursor: true });
      this.#bar.start(total, done);
    }
    this.#bar?.update(done);
  }

  /** Takes it away. */
  [Symbol.dispose](): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
