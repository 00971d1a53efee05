import { createHook } from "node:async_hooks";
import { describeThrown, stackHere } from "./describe_error.ts";
import { makeIsExpected } from "./expected.ts";
import type { Fuzz } from "./load_target.ts";
import { Prototypes } from "./prototypes.ts";
import { CLASSES, type Found, type HarnessOptions } from "./protocol.ts";
import { watchSinks } from "./sinks.ts";

/** ms that a timer may have for the input that set it to be waited for. */
const LONGEST_TIMER = 10;

/** Runs inputs one by one, and has the oracles look at each. */
export class Runner {
  readonly #options: HarnessOptions;
  readonly #isExpected: (thrown: unknown) => boolean;
  readonly #prototypes: Prototypes | undefined;
  /** The first finding of the input that runs. */
  #found: Found | undefined;
  #isRunning = false;
  /** The input that runs, and its function. */
  #last: { readonly fuzz: Fuzz; readonly input: Buffer } | undefined;
  /** Whether it has begun anything that goes on when the function has returned. */
  #isAsync = false;
  /** ms until the last of its short timers. */
  #timers = 0;

  constructor(options: HarnessOptions) {
    this.#options = options;
    this.#isExpected = makeIsExpected(options.expect);
    this.#prototypes = this.#has("pollution") ? new Prototypes() : undefined;
  }

  /** To be called before the user's module is loaded. */
  watch(): void {
    watchSinks(this.#options.without, (found) => this.#tell(found));
    const isOn = this.#has("rejection");
    // Without listeners they would end the process.
    const onError = (thrown: unknown) => isOn && this.#thrown(thrown);
    process.on("unhandledRejection", onError);
    process.on("uncaughtException", onError);
    this.#watchAsync();
  }

  /** To be called once it is loaded: what it has done to prototypes is as it should be. */
  begin(): void {
    this.#prototypes?.remember();
  }

  /**
   * Has the process tell before it ends by itself.
   *
   * @param leave Tells what was found.
   */
  watchExit(leave: (found: Found) => void): void {
    if (!this.#has("exit")) return;
    for (const name of ["exit", "abort", "reallyExit"] as const) {
      const members = process as unknown as Record<string, (...args: unknown[]) => unknown>;
      const theirs = members[name];
      members[name] = (...args) => {
        if (this.#isRunning) {
          this.#isRunning = false;
          const message = `process.${name}(${args.map(String).join(", ")})`;
          leave({ class: CLASSES.exit, message, stack: stackHere() });
        }
        return theirs.apply(process, args);
      };
    }
  }

  /**
   * Starts an input.
   *
   * @returns a promise where the function has.
   */
  start(fuzz: Fuzz, input: Buffer): PromiseLike<unknown> | undefined {
    this.#found = undefined;
    this.#isAsync = false;
    this.#timers = 0;
    this.#isRunning = true;
    this.#last = { fuzz, input };
    try {
      const result = fuzz(input);
      if (isPromiseLike(result)) return result;
    } catch (error) {
      this.#caught(error);
    }
    return undefined;
  }

  /** Waits for what {@linkcode start} has returned. */
  async settle(promise: PromiseLike<unknown>): Promise<void> {
    try {
      await promise;
    } catch (error) {
      this.#caught(error);
    }
  }

  /** Nothing is left that could settle what {@linkcode start} has returned. */
  neverSettled(): void {
    if (!this.#has("hang")) return;
    this.#tell({ class: CLASSES.hang, message: "the promise is never settled", stack: [] });
  }

  /** Whether the event loop is to turn before the input is at its end. */
  get isAsync(): boolean {
    return this.#isAsync;
  }

  /** ms that are to pass before the input is at its end. */
  get timers(): number {
    return this.#timers;
  }

  /** @returns what the input has done wrong. */
  finish(): Found | undefined {
    this.#isRunning = false;
    const prototypes = this.#prototypes;
    if (prototypes?.mayHaveChanged) {
      const found = prototypes.check(() => this.#runAgain());
      if (found) this.#tell(found);
    }
    return this.#found;
  }

  /** Runs the input once more. Its outcome is known already. */
  #runAgain(): void {
    try {
      this.#last?.fuzz(this.#last.input);
    } catch {
      // As it was the first time.
    }
  }

  #has(oracle: HarnessOptions["without"][number]): boolean {
    return !this.#options.without.includes(oracle);
  }

  #caught(error: unknown): void {
    if (this.#has("exception")) this.#thrown(error);
  }

  #thrown(error: unknown): void {
    if (!this.#found && !this.#isExpected(error)) this.#tell(describeThrown(error));
  }

  #tell(found: Found): void {
    this.#found ??= found;
  }

  /** Node tells of promises, ticks, timers and requests as they are made. */
  #watchAsync(): void {
    createHook({
      init: (_id, type, _trigger, resource) => {
        if (!this.#isRunning) return;
        this.#isAsync = true;
        if (type !== "Timeout") return;
        const { _idleTimeout: delay = 0 } = resource as { _idleTimeout?: number };
        if (delay <= LONGEST_TIMER && delay > this.#timers) this.#timers = delay;
      },
    }).enable();
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}
