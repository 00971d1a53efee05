import { letRun } from "../messages/isolate.ts";
import type { Commands, Params } from "./cdp/client.ts";
import type { CdpSession } from "./cdp/session.ts";

/** ms after which the interruption of what runs is asked for. */
const PATIENCE = 3;
/** ms after which one that has not started is told to once more. */
const START_INTERVAL = 5;
/** ms to which that grows, while a program is fetched and compiled. */
const MOST_START_INTERVAL = 250;
/** Why a Deno says that it pauses at a module's first line (`core/inspector.rs`). */
const START_REASON = "debugCommand";
/**
 * How often the trap may be run through without a pause: once or twice when its use was asked for before
 * the last hold had quite ended.
 */
const MOST_TRIES = 10;
/** The group of the objects that the inspector keeps for us. */
const GROUP = "kcovfs";
/**
 * The trap: a promise of an object whose getter pauses. Native code alone touches it, so that user code
 * that replaces parts of the language sees nothing. Its URL makes it one of the runtime's scripts.
 *
 * The getter must not begin with its `debugger` statement: V8 13 and later never pauses there again once
 * `Debugger.pause` has paused there (measured on Node 24 and 26 and Deno 2.9).
 */
const TRAP = `(async () => ({
  __proto__: null,
  get pause() {
    const result = 0;
    debugger;
    return result;
  },
}))()
//# sourceURL=node:kcovfs`;

/**
 * Holds an isolate by V8's own pause.
 *
 * To wait for the trap's promise by value makes V8 run the getter in a microtask, so where nothing runs it
 * pauses at once. It compiles nothing: each evaluated text would be a script that coverage keeps. And the
 * microtask is not within the handling of a message, where Deno cannot pause (`poll_sessions` in its
 * `core/inspector.rs` does not nest). Where something runs, that microtask may be far away:
 * `Debugger.pause` interrupts. Whichever comes first, the isolate stands still, for as long as
 * the session lives: if the server dies, V8 goes on by itself.
 *
 * All other pauses (a `debugger` statement of the user's) are skipped, as without a debugger.
 */
export class InspectorPause {
  readonly #session: CdpSession;
  readonly #onBroken: () => void;
  /** The id of the trap's promise, while V8 has it. */
  #trap: string | undefined;
  /** Whether the answer to its last use is still to come. */
  #isSprung = false;
  /** How many pauses are still to come before its program runs. */
  #starts = 0;
  #tries = 0;
  #isWanted = false;
  #isPaused = false;
  #isHolding = false;
  /** Whether a pause is waited for. */
  #isAwaited = false;
  /** Settle the wait for a pause: whether it has come, or that it never will. */
  #arrive: ((isPaused: boolean) => void) | undefined;
  #lose: ((error: Error) => void) | undefined;
  /** When it was let go last, on `performance.now()`'s clock. */
  #released: Promise<number> = Promise.resolve(-Infinity);

  /** @param onBroken Called when somebody else has ended a hold. */
  constructor(session: CdpSession, onBroken: () => void) {
    this.#session = session;
    this.#onBroken = onBroken;
    session.on("Debugger.paused", ({ reason }) => this.#paused(reason));
    session.on("Debugger.resumed", () => {
      if (!this.#isPaused) return;
      this.#isPaused = false;
      if (this.#isHolding) this.#onBroken();
      this.#isHolding = false;
    });
    session.closed.then((reason) => {
      this.#starts = 0;
      this.#lose?.(new Error(reason));
    });
  }

  /** Whether the isolate has stood still since {@linkcode pause} said so. */
  get isHolding(): boolean {
    return this.#isHolding;
  }

  /** Enables what it needs; rejects when the other side refuses. */
  async enable(): Promise<void> {
    // Scripts that V8 has no more use for need not be kept.
    const enabling = this.#session.send("Debugger.enable", { maxScriptsCacheSize: 0 });
    await Promise.all([enabling, this.#session.send("Debugger.setSkipAllPauses", { skip: true })]);
    await this.#setTrap();
  }

  async #setTrap(): Promise<string> {
    const parameters = { expression: TRAP, objectGroup: GROUP, silent: true };
    const { result, exceptionDetails } = await this.#session.send("Runtime.evaluate", parameters);
    if (exceptionDetails || !result.objectId) throw new Error("cannot be paused");
    return this.#trap = result.objectId;
  }

  /**
   * Pauses. Rejects when the session ends.
   *
   * @param run µs that the isolate must have run since its last release.
   * @returns whether it stands still; false when it cannot be made to.
   */
  async pause(run: number): Promise<boolean> {
    if (this.#isPaused && this.#isWanted) return this.#isHolding = true;
    await letRun(await this.#released + run / 1000);
    this.#isWanted = true;
    this.#isAwaited = true;
    this.#post("Debugger.setSkipAllPauses", { skip: false });
    const arrived = new Promise<boolean>((resolve, reject) => {
      this.#arrive = resolve;
      this.#lose = reject;
    });
    const timer = setTimeout(() => this.#post("Debugger.pause"), PATIENCE);
    this.#tries = 0;
    this.#spring();
    try {
      return await arrived && this.#isHolding;
    } finally {
      this.#isAwaited = false;
      clearTimeout(timer);
    }
  }

  /**
   * Starts a Deno that waits before the first line of each of so many modules: at that line it pauses
   * (`--inspect-brk`), and so says that it has started; told so before it waits, it would wait for ever.
   */
  async start(modules: number): Promise<void> {
    this.#starts = modules;
    this.#post("Debugger.setSkipAllPauses", { skip: false });
    for (let interval = START_INTERVAL; this.#starts > 0;) {
      await this.#post("Runtime.runIfWaitingForDebugger");
      await new Promise((resolve) => setTimeout(resolve, interval));
      interval = Math.min(1.2 * interval, MOST_START_INTERVAL);
    }
  }

  /** Waits no longer: nothing will run any more. */
  giveUp(): void {
    this.#arrive?.(false);
  }

  /** Lets it run. */
  release(): void {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    if (this.#isPaused) this.#resume();
    else if (this.#starts === 0) this.#post("Debugger.setSkipAllPauses", { skip: true });
  }

  #resume(): void {
    this.#isPaused = false;
    this.#isHolding = false;
    if (this.#starts === 0) this.#post("Debugger.setSkipAllPauses", { skip: true });
    this.#released = this.#post("Debugger.resume").then(() => performance.now());
  }

  #paused(reason: string): void {
    this.#isPaused = true;
    if (this.#starts > 0 && reason === START_REASON) this.#starts--;
    // It was on its way when the hold ended.
    if (!this.#isWanted) return this.#resume();
    this.#isHolding = this.#isAwaited;
    this.#arrive?.(true);
  }

  /** Uses the trap; again and anew when it was run through or has gone with its context. */
  async #spring(): Promise<void> {
    if (this.#isSprung) return;
    this.#isSprung = true;
    try {
      const promiseObjectId = this.#trap ?? await this.#setTrap();
      const parameters = { promiseObjectId, returnByValue: true };
      await this.#session.send("Runtime.awaitPromise", parameters);
    } catch {
      this.#trap = undefined;
    }
    this.#isSprung = false;
    if (!this.#isAwaited || this.#isPaused) return;
    // A trap that does not catch is made anew.
    if (++this.#tries % 3 === 0) this.#trap = undefined;
    if (this.#tries < MOST_TRIES) this.#spring();
    else this.#arrive?.(false);
  }

  /** Sends what may be refused without harm. */
  #post<M extends keyof Commands>(method: M, params?: Params<M>): Promise<unknown> {
    return this.#session.send(method, params).catch(() => {});
  }
}
