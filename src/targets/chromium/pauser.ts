import { type Pause, pauseOf } from "./document_hook.ts";
import type { Session } from "./session.ts";

/** What a pauser tells. */
export interface PauserEvents {
  /** It has paused. */
  readonly onStill: () => void;
  /** It is paused though nobody wants it to be, or wants it any longer. */
  readonly onPause: (pause: Pause) => void;
}

/** ms after which the interruption of what runs is asked for. */
const PATIENCE = 3;
/**
 * The trap: an object whose getter pauses, in a promise. It must not begin with its `debugger` statement,
 * see `inspector_pause.ts`.
 */
const TRAP = `Promise.resolve({
  __proto__: null,
  get value() {
    const result = 0;
    debugger;
    return result;
  },
})
//# sourceURL=internal:kcovfs/trap`;

/**
 * Holds a page or worker by V8's own pause, as `InspectorPause` does; but a page's pauses cannot be
 * skipped while it is not held, for its documents' hooks are some, so each that nobody wants is passed.
 *
 * To be told that a pause has been asked for is not enough: until it comes, what resumes (after `await` or
 * `yield`) counts one more block (**measured** on Chromium 156: in 147 of 150 holds of a page that awaits
 * timers; none once the pause had come).
 */
export class Pauser {
  readonly #session: Session;
  readonly #events: PauserEvents;
  #isWanted = false;
  #paused: Pause | undefined;
  /** Counts documents: an answer from an earlier one says nothing of this one. */
  #document = 0;
  #awaitsPause: (() => void)[] = [];
  /** The documents' hooks, by script id: there is one for each frame. */
  readonly #hooks = new Set<string>();
  /** The id of a document's {@linkcode TRAP}. */
  #trap: string | undefined;

  constructor(session: Session, events: PauserEvents) {
    this.#session = session;
    this.#events = events;
    session.on("Debugger.paused", (event) => {
      this.#paused = pauseOf(event, (scriptId) => this.#hooks.has(scriptId));
      this.yield();
      events.onStill();
      if (!this.#isWanted) events.onPause(this.#paused);
    });
    session.on("Debugger.resumed", () => this.#paused = undefined);
  }

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  /** A script was parsed that is a document's hook. */
  addHook(scriptId: string): void {
    this.#hooks.add(scriptId);
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** From now on it stays in a pause that it comes to. */
  want(): void {
    this.#isWanted = true;
  }

  /** Pauses it, until {@linkcode release}; all pages of its isolate stand still with it. */
  async hold(): Promise<void> {
    this.want();
    if (this.isPaused) return;
    const paused = new Promise<void>((resolve) => this.#awaitsPause.push(resolve));
    const interrupt = () => this.#session.send("Debugger.pause").catch(() => {});
    const timer = setTimeout(interrupt, PATIENCE);
    try {
      await Promise.race([paused, this.#spring()]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** It has paused, or another page of the isolate has, which has this one wait no more. */
  yield(): void {
    for (const resolve of this.#awaitsPause.splice(0)) resolve();
  }

  /** Uses the trap; settled when it was run through. */
  async #spring(): Promise<void> {
    const trap = this.#trap ?? await this.#setTrap();
    const params = { promiseObjectId: trap, returnByValue: true };
    await this.#session.send("Runtime.awaitPromise", params);
  }

  async #setTrap(): Promise<string> {
    const document = this.#document;
    const params = { expression: TRAP, objectGroup: "kcovfs", silent: true };
    const { result } = await this.#session.send("Runtime.evaluate", params);
    if (document === this.#document) this.#trap = result.objectId;
    return result.objectId!;
  }

  release(): void {
    this.#isWanted = false;
    if (this.#paused !== undefined) this.#events.onPause(this.#paused);
  }

  /** Lets it go on from its pause, unless it is to be held. */
  resume(): void {
    if (this.#isWanted) {
      this.#paused &&= "other";
      return;
    }
    if (this.#paused === undefined) return;
    this.#paused = undefined;
    this.#session.send("Debugger.resume").catch(() => {});
  }

  /** The document was replaced, and its inspector's state with it. */
  reset(): void {
    this.#document++;
    this.#trap = undefined;
    this.#hooks.clear();
    this.#paused = undefined;
    // One that comes back from the back/forward cache does not pause at its start.
    if (this.#isWanted) this.hold().catch(() => {});
  }
}
