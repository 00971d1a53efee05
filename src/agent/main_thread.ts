import { CONTROL, GATE_CLOSED, GATE_OPEN, GATE_SYMBOL, GATE_WAITING, GATES } from "./control.ts";
import { type Connection, connectToMainThread } from "./connection.ts";

/** Ids of the agent's own CDP messages begin here; the server's are below. */
const OWN_IDS = 1_000_000_000;
/** ms that the main thread is waited for to come to a gate, once it has carried out a batch. */
const ARRIVAL_TIMEOUT = 50;

/** How a batch went: whether the main thread stood still from its first message on. */
export type Outcome = "held" | "unheld";

/**
 * The target's main thread: carries out batches of CDP messages and holds it.
 *
 * A batch must not be torn apart by user code: what runs between a collection and the hold that
 * follows it would be missed. Node hands the inspector's messages to the main thread from a queue, all
 * that are in it before it returns to user code (`MainThreadInterface::DispatchMessages` in
 * `inspector/main_thread_interface.cc`). So a batch begins with a *gate*: an evaluation that waits until
 * all other messages are in the queue. A hold is a gate that stays closed.
 */
export class MainThread {
  readonly #control: Int32Array;
  readonly #connection: Connection;
  readonly #replies = new Map<number, (message: string) => void>();
  readonly #receive: (id: number | undefined, message: string) => void;
  readonly #holdTimeout: number;
  #nextId = OWN_IDS;
  #nextGate = 0;
  /** The gate at which the main thread is held. */
  #heldAt: number | undefined;
  /** When the main thread passed the last gate, on `performance.now()`'s clock. */
  #passed: Promise<number> = Promise.resolve(-Infinity);

  /**
   * @param control The memory shared with the main thread.
   * @param options `receive` takes the answers to the server's messages, by their id, and the events;
   * `holdTimeout`: ms.
   */
  constructor(
    control: Int32Array,
    options: {
      receive: (id: number | undefined, message: string) => void;
      holdTimeout: number;
    },
  ) {
    this.#control = control;
    this.#receive = options.receive;
    this.#holdTimeout = options.holdTimeout;
    this.#connection = connectToMainThread((message) => this.#route(message));
  }

  #route(message: string): void {
    const id = message.startsWith('{"id":') ? parseInt(message.slice(6, 24), 10) : undefined;
    const reply = id === undefined ? undefined : this.#replies.get(id);
    if (!reply) return this.#receive(id, message);
    this.#replies.delete(id!);
    reply(message);
  }

  /** Sends one message of the agent's own. */
  send(method: string, params?: object): Promise<string> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#replies.set(id, resolve);
      this.#connection.dispatch(JSON.stringify({ id, method, params }));
    });
  }

  /**
   * Carries out messages of the server's in one go.
   *
   * @param options `hold`: whether the main thread is held afterwards; `run`: µs that it must have run
   * since it was held last.
   */
  async batch(
    messages: readonly string[],
    options: { hold: boolean; run: number },
  ): Promise<Outcome> {
    if (this.#heldAt === undefined) await this.#letRun(options.run);
    const entry = this.#heldAt === undefined ? this.#postGate() : undefined;
    const from = entry?.index ?? this.#heldAt!;
    let last: Promise<unknown> = Promise.resolve();
    for (const message of messages) last = this.#dispatch(message);
    const exit = options.hold ? this.#postGate() : undefined;
    this.#heldAt = exit?.index;
    this.#open(from);
    const entered = entry ? await entry.passed : true;
    await last;
    if (!exit) return entered ? "held" : "unheld";
    return entered && this.#hasArrived(exit.index) ? "held" : "unheld";
  }

  /** Ends the hold, if there is one. */
  release(): void {
    if (this.#heldAt === undefined) return;
    const index = this.#heldAt;
    this.#heldAt = undefined;
    this.#open(index);
  }

  disconnect(): void {
    this.release();
    this.#connection.disconnect();
  }

  async #letRun(us: number): Promise<void> {
    const until = await this.#passed + us / 1000;
    while (performance.now() < until) {
      const left = until - performance.now();
      await new Promise((resolve) =>
        left > 2 ? setTimeout(resolve, left - 1) : setImmediate(resolve)
      );
    }
  }

  /** Resolves when the answer has come, after it was passed on. */
  #dispatch(message: string): Promise<void> {
    const { id } = JSON.parse(message) as { id: number };
    return new Promise((resolve) => {
      this.#replies.set(id, (reply) => {
        this.#receive(id, reply);
        resolve();
      });
      this.#connection.dispatch(message);
    });
  }

  /** Has the main thread evaluate the next gate; `passed` says whether it did. */
  #postGate(): { index: number; passed: Promise<boolean> } {
    const gate = this.#nextGate;
    this.#nextGate = (gate + 1) % GATES;
    const index = CONTROL.gates + gate;
    Atomics.store(this.#control, index, GATE_CLOSED);
    // One text for each gate, so that V8 compiles each only once.
    const expression = `globalThis[Symbol.for("${GATE_SYMBOL}")](${gate},${this.#holdTimeout})`;
    const reply = this.send("Runtime.evaluate", { expression, silent: true, returnByValue: true });
    const passed = reply.then((text) => text.includes('"value":true'));
    this.#passed = passed.then(() => performance.now());
    return { index, passed };
  }

  #open(index: number): void {
    Atomics.store(this.#control, index, GATE_OPEN);
    Atomics.notify(this.#control, index);
  }

  /**
   * Whether the main thread has come to the gate, which it does some µs after the answer to the last
   * message was sent, unless its stack is used up and the gate cannot be called.
   */
  #hasArrived(index: number): boolean {
    if (Atomics.load(this.#control, index) === GATE_CLOSED) {
      Atomics.wait(this.#control, index, GATE_CLOSED, ARRIVAL_TIMEOUT);
    }
    return Atomics.load(this.#control, index) === GATE_WAITING;
  }
}
