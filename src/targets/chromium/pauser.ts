import { type Pause, pauseOf } from "./document_hook.ts";
import type { Session } from "./session.ts";

/**
 * Holds a page or worker by V8's own pause.
 *
 * `Debugger.pause` interrupts what runs; what does not run is *armed*: the next function that is called
 * pauses at its start. So once it is answered nothing runs any more, and no code need be evaluated to
 * make an idle page pause: with evaluations a hold took three times as long (**measured**, 2.7 ms and
 * 0.9 ms), and each left a script behind that all later collections look at.
 *
 * Being armed, or paused in vain, is no state to leave a page in: whoever releases it lets it go on as
 * soon as it comes to a pause.
 */
export class Pauser {
  readonly #session: Session;
  readonly #onPause: (pause: Pause) => void;
  #isWanted = false;
  #isArmed = false;
  #paused: Pause | undefined;
  /** Counts documents: an answer from an earlier one says nothing of this one. */
  #document = 0;
  #awaitsPause: (() => void)[] = [];

  /** @param onPause Called when it has paused though nobody wants it to, or wants it no longer. */
  constructor(session: Session, onPause: (pause: Pause) => void) {
    this.#session = session;
    this.#onPause = onPause;
    session.on("Debugger.paused", (event) => {
      this.#isArmed = false;
      this.#paused = pauseOf(event);
      for (const resolve of this.#awaitsPause.splice(0)) resolve();
      if (!this.#isWanted) onPause(this.#paused);
    });
    session.on("Debugger.resumed", () => this.#paused = undefined);
  }

  /** Whether no function can run. */
  get isStill(): boolean {
    return this.#isArmed || this.#paused !== undefined;
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** From now on it stays in a pause that it comes to. */
  want(): void {
    this.#isWanted = true;
  }

  /**
   * Makes it still and keeps it so until {@linkcode release}.
   *
   * @param options `isAlone`: whether no other page is in the isolate; being armed is a page's own matter
   * (`m_targetContextGroupId` in `inspector/v8-debugger.cc`), but where one has paused none runs.
   */
  async hold({ isAlone }: { isAlone: boolean }): Promise<void> {
    this.want();
    if (!this.isStill) await this.#arm();
    if (isAlone || this.#paused !== undefined) return;
    const paused = new Promise<void>((resolve) => this.#awaitsPause.push(resolve));
    const evaluated = this.#session.send("Runtime.evaluate", { expression: "0", silent: true });
    await Promise.race([paused, evaluated]);
  }

  async #arm(): Promise<void> {
    const document = this.#document;
    await this.#session.send("Debugger.pause");
    if (document === this.#document && this.#paused === undefined) this.#isArmed = true;
  }

  release(): void {
    this.#isWanted = false;
    if (this.#paused !== undefined) this.#onPause(this.#paused);
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

  /** Another page of the isolate has come or was armed, which disarms this one. */
  disarm(): void {
    this.#isArmed = false;
  }

  /** The document was replaced, and its inspector's state with it. */
  reset(): void {
    this.#document++;
    this.#isArmed = false;
    this.#paused = undefined;
    // One that comes back from the back/forward cache does not pause at its start.
    if (this.#isWanted) this.#arm().catch(() => {});
  }
}
