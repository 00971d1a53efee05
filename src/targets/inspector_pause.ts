import { letRun } from "../messages/isolate.ts";
import type { Commands, Params } from "./cdp/client.ts";
import type { CdpSession } from "./cdp/session.ts";

/** ms after which running code is to be interrupted. */
const PATIENCE = 3;
/** ms after which a target that has not started is told once more. */
const START_INTERVAL = 5;
/** ms; the most to which that interval grows, while a program is fetched and compiled. */
const MOST_START_INTERVAL = 250;
/** The reason that Deno gives for its pause at a module's first line (`core/inspector.rs`). */
const START_REASON = "debugCommand";
/**
 * The number of times that the trap may run through without a pause. It does so once or twice if it is used
 * just before the last hold has quite ended.
 */
const MOST_TRIES = 10;
/** The group of the objects that the inspector keeps for us. */
const GROUP = "kcovfs";
/**
 * The trap: a promise of an object whose getter pauses. Only native code touches it, so user code that
 * replaces parts of the language sees nothing. Its URL makes it one of the runtime's scripts.
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
 * To wait for the trap's promise by value makes V8 run the getter in a microtask. So if nothing runs, the
 * isolate pauses at once. Nothing is compiled: each evaluated text would be a script that coverage keeps. The
 * microtask is also outside the handling of a message, where Deno cannot pause (`poll_sessions` in its
 * `core/inspector.rs` does not nest). If something runs, that microtask may be far away: then
 * `Debugger.pause` interrupts. Whichever comes first, the isolate stands still for as long as
 * the session lives: if the server dies, V8 goes on by itself.
 *
 * All other pauses (a `debugger` statement of the user's) are skipped, as without a debugger.
 */
export class InspectorPause {
  readonly #session: CdpSession;
  readonly #onBroken: () => void;
  /** The id of the trap's promise, while V8 has it. */
  #trap: string | undefined;
  /** Whether the answer to its last use has not come yet. */
  #isSprung = false;
  /** The number of pauses that are still to come before its program runs. */
  #starts = 0;
  #tries = 0;
  #isWanted = false;
  #isPaused = false;
  #isHolding = false;
  /** Whether a pause is awaited. */
  #isAwaited = false;
  /** These settle the wait for a pause: whether the pause has come, or an error if it never will. */
  #arrive: ((isPaused: boolean) => void) | undefined;
  #lose: ((error: Error) => void) | undefined;
  /** The time of its last release, on `performance.now()`'s clock. */
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

  /** Enables what pauses need; rejects if the other side refuses. */
  async enable(): Promise<void> {
    // Scripts that V8 does not use any more need not be kept.
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
   * @returns whether it stands still; false if it cannot be made to.
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
   * Starts a Deno that waits before the first line of each of so many modules. At that line it pauses
   * (`--inspect-brk`), and that shows that it has started. A Deno that is told only before it waits would
   * wait for ever, so it is told again and again.
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

  /** Stops waiting: nothing will run any more. */
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
    // The pause was on its way when the hold ended.
    if (!this.#isWanted) return this.#resume();
    this.#isHolding = this.#isAwaited;
    this.#arrive?.(true);
  }

  /** Uses the trap; uses it again, or makes a new one, if it ran through or has gone with its context. */
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

  /** Sends a command that may be refused without harm. */
  #post<M extends keyof Commands>(method: M, params?: Params<M>): Promise<unknown> {
    return this.#session.send(method, params).catch(() => {});
  }
}
