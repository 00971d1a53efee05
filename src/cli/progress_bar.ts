import { createRequire } from "node:module";
import type * as CliProgress from "cli-progress";

/** ms before which nothing is shown. */
const PATIENCE = 1000;

/** Shows on standard error how far something is that takes longer than a second, where that is a terminal. */
export class ProgressBar implements Disposable {
  readonly #what: string;
  readonly #began = performance.now();
  #bar: CliProgress.SingleBar | undefined;

  /** @param what Is counted. */
  constructor(what: string) {
    this.#what = what;
  }

  update(done: number, total: number): void {
    if (!process.stderr.isTTY) return;
    if (!this.#bar && performance.now() - this.#began > PATIENCE) {
      const format = `{bar} {value} of {total} ${this.#what}`;
      // Loaded where it is needed: all commands would start 8 ms later.
      const { SingleBar } = createRequire(import.meta.url)("cli-progress") as typeof CliProgress;
      this.#bar = new SingleBar({ format, clearOnComplete: true, hideCursor: true });
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
