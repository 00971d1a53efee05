import { createRequire } from "node:module";
import type * as CliProgress from "cli-progress";

/** ms before which nothing is shown. */
const PATIENCE = 1000;

/** Shows on standard error the progress of work that takes longer than a second, if that is a terminal. */
export class ProgressBar implements Disposable {
  readonly #what: string;
  readonly #began = performance.now();
  #bar: CliProgress.SingleBar | undefined;

  /** @param what The things that are counted. */
  constructor(what: string) {
    this.#what = what;
  }

  update(done: number, total: number): void {
    if (!process.stderr.isTTY) return;
    if (!this.#bar && performance.now() - this.#began > PATIENCE) {
      const format = `{bar} {value} of {total} ${this.#what}`;
      // Loaded here, since all commands would start 8 ms later otherwise.
      const { SingleBar } = createRequire(import.meta.url)("cli-progress") as typeof CliProgress;
      this.#bar = new SingleBar({ format, clearOnComplete: true, hideCursor: true });
      this.#bar.start(total, done);
    }
    this.#bar?.update(done);
  }

  /** Removes the bar. */
  [Symbol.dispose](): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
