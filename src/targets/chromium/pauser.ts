import type { CdpSession } from "../cdp/session.ts";
import { type Pause, pauseOf } from "./document_hook.ts";

/** The events of a pauser. */
export interface PauserEvents {
  /** It has paused. */
  readonly onStill: () => void;
  /** It is paused although nobody wants that, or nobody wants it any more. */
  readonly onPause: (pause: Pause) => void;
}

const CALLABLE =
  `Promise.resolve({ __proto__: null, get value() { return 0; } })\n//# sourceURL=internal:kcovfs/callable`;

/**
 * Holds a page or worker by V8's own pause.
 *
 * `Debugger.pause` interrupts running code. If nothing runs, the page is *armed*: the next function that is
 * called, or resumed, pauses before its first statement. So once the command is answered, no statement is
 * executed any more. An idle page need not evaluate code to pause: with evaluations a hold took three times
 * as long (**measured**, 2.7 ms and 0.9 ms), and each left a script behind that all later collections look
 * at. An idle page does not notice, while Chromium stops the timers of a page that pauses. An armed page
 * does count the block at whose start it pauses (**measured**: in 147 of 150 holds of a page that resumes
 * after `await`). That is collected after the release, as it would be if the block were entered then.
 *
 * A page must not stay armed, or paused in vain: a page that is released while armed is let go on as soon as
 * it comes to a pause.
 * soon as it comes to a pause.
 */
export class Pauser {
  readonly #session: CdpSession;
  readonly #events: PauserEvents;
  #isWanted = false;
  #isArmed = false;
  #paused: Pause | undefined;
  /** Whether the pause was reported, and {@linkcode resume} is to come. */
  #isPassing = false;
  /** Counts documents: an answer from an earlier document says nothing about this one. */
  #document = 0;
  #awaitsPause: (() => void)[] = [];
  #resumed: Promise<number> = Promise.resolve(-Infinity);
  #onResumed: (() => void) | undefined;
  /** The documents' hooks, by script id: there is one for each frame. */
  readonly #hooks = new Set<string>();
  /** The id of a document's {@linkcode CALLABLE}. */
  #callable: string | undefined;

  constructor(session: CdpSession, events: PauserEvents) {
    this.#session = session;
    this.#events = events;
    session.on("Debugger.paused", (event) => {
      this.#paused = pauseOf(event, (scriptId) => this.#hooks.has(scriptId));
      this.yield();
      events.onStill();
      this.#isPassing = false;
      this.#passUnlessWanted();
    });
    session.on("Debugger.resumed", () => {
      this.#paused = undefined;
      this.#onResumed?.();
    });
    session.closed.then(() => this.#onResumed?.());
  }

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  /** The time when it last went on, on `performance.now()`'s clock; resolves as soon as it has. */
  get resumed(): Promise<number> {
    return this.#resumed;
  }

  /** Whether no function can run in its document; a page is armed for one document only. */
  get isStill(): boolean {
    return this.#isArmed || this.isPaused;
  }

  /** The script that was parsed is a document's hook. */
  addHook(scriptId: string): void {
    this.#hooks.add(scriptId);
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** From now on it stays in any pause that it comes to. */
  want(): void {
    this.#isWanted = true;
  }

  /** Makes it still and keeps it so until {@linkcode release}. */
  async hold(): Promise<void> {
    this.want();
    if (!this.isStill) await this.#arm();
  }

  /**
   * Pauses it, if other pages are in the isolate. To be armed concerns one page
   * (`m_targetContextGroupId` in `inspector/v8-debugger.cc`), but while one page is paused, none runs.
   */
  async pause(): Promise<void> {
    this.want();
    if (this.isPaused) return;
    const paused = new Promise<void>((resolve) => this.#awaitsPause.push(resolve));
    await this.#arm();
    if (!this.isPaused) await Promise.race([paused, this.#callSomething()]);
  }

  /** It has paused, or another page of the isolate has: it is no longer armed, and no longer waits. */
  yield(): void {
    this.#isArmed = false;
    for (const resolve of this.#awaitsPause.splice(0)) resolve();
  }

  /**
   * Calls a function, which pauses if the page is armed; settled when the function has returned. It is a
   * getter that V8 calls for the value of a promise: it is compiled only once a document.
   */
  async #callSomething(): Promise<void> {
    const document = this.#document;
    if (this.#callable !== undefined) {
      const params = { promiseObjectId: this.#callable, returnByValue: true };
      await this.#session.send("Runtime.awaitPromise", params);
      return;
    }
    const params = { expression: CALLABLE, objectGroup: "kcovfs", silent: true };
    const { result } = await this.#session.send("Runtime.evaluate", params);
    if (document === this.#document) this.#callable = result.objectId;
  }

  /** A page that was told to go on, and has not yet, would ignore the command: so this waits until it has. */
  async #arm(): Promise<void> {
    await this.#resumed;
    const document = this.#document;
    await this.#session.send("Debugger.pause");
    if (document === this.#document && !this.isPaused) this.#isArmed = true;
  }

  release(): void {
    this.#isWanted = false;
    this.#passUnlessWanted();
  }

  #passUnlessWanted(): void {
    if (this.#isWanted || this.#isPassing || this.#paused === undefined) return;
    this.#isPassing = true;
    this.#events.onPause(this.#paused);
  }

  /** Lets it go on from its pause, unless it is to be held. */
  resume(): void {
    this.#isPassing = false;
    if (this.#isWanted) {
      this.#paused &&= "other";
      return;
    }
    if (this.#paused === undefined) return;
    this.#paused = undefined;
    this.#resumed = new Promise((resolve) => {
      this.#onResumed = () => resolve(performance.now());
    });
    this.#session.send("Debugger.resume").catch(() => this.#onResumed?.());
  }

  /** The document was replaced, and its inspector's state with it. */
  reset(): void {
    this.#document++;
    this.#callable = undefined;
    this.#hooks.clear();
    this.#isArmed = false;
    this.#paused = undefined;
    this.#onResumed?.();
    // A document that comes back from the back/forward cache does not pause at its start.
    if (this.#isWanted) this.#arm().catch(() => {});
  }
}
