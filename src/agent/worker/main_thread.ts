import { closeSync, writeSync } from "node:fs";
import {
  agentCall,
  CONTROL,
  GATE_CLOSED,
  GATE_OPEN,
  GATE_WAITING,
  GATES,
} from "../../messages/shared_words.ts";
import { type Connection, connectToMainThread } from "./connection.ts";
import {
  type CdpMessage,
  type Isolate,
  type IsolateOptions,
  letRun,
  type Outcome,
} from "../../messages/isolate.ts";
import { openOwnPipe } from "./own_pipe.ts";
import { isTaking } from "../../messages/protocol.ts";

/** Ids of the agent's own CDP messages begin here; the server's are below. */
const OWN_IDS = 1_000_000_000;
/** ms for the main thread to come to a gate, once it has carried out a batch. */
const ARRIVAL_TIMEOUT = 50;

/**
 * The target's main thread: carries out batches of CDP messages and holds it.
 *
 * User code must not run within a batch: what it executes between a collection and the hold that
 * follows would be missed. Node hands the inspector's messages to the main thread from a queue, all
 * that are in it before it returns to user code (`MainThreadInterface::DispatchMessages` in
 * `inspector/main_thread_interface.cc`). So a batch begins with a *gate*: an evaluation that waits until
 * all other messages are in the queue. A hold is a gate that stays closed.
 */
export class MainThread implements Isolate {
  readonly #control: Int32Array;
  readonly #connection: Connection;
  readonly #replies = new Map<number, (message: string) => void>();
  readonly #options: IsolateOptions;
  /** The pipe's descriptor. */
  readonly #pipe: number;
  #nextId = OWN_IDS;
  #nextSerial = 1;
  /** The gate at which the main thread is held, and the timer that ends the hold. */
  #heldAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  interruptedAt = "";
  /** The time when the main thread passed the last gate, on `performance.now()`'s clock. */
  #passed: Promise<number> = Promise.resolve(-Infinity);

  /** @param control The words shared with the main thread. */
  constructor(control: Int32Array, options: IsolateOptions) {
    this.#control = control;
    this.#options = options;
    this.#pipe = openOwnPipe(options.pipe);
    control[CONTROL.pipe] = this.#pipe;
    this.#connection = connectToMainThread((message) => this.#route(message));
  }

  /**
   * Takes a message from the main thread. Node hands it over by interrupting whatever this thread runs. That
   * may be the last few lines before the thread goes to sleep. Then nothing would run the message's
   * continuation until something else wakes the thread (measured on Node 26: once in some thousand batches;
   * the target stood still for seconds). An immediate wakes it.
   */
  #route(message: string): void {
    setImmediate(() => {});
    const id = message.startsWith('{"id":') ? parseInt(message.slice(6, 24), 10) : undefined;
    const reply = id === undefined ? undefined : this.#replies.get(id);
    if (!reply) return this.#options.receive(id, message);
    this.#replies.delete(id!);
    reply(message);
  }

  /**
   * Sends one message of the agent's own.
   *
   * @param take Takes the answer before any later message is looked at.
   */
  send(method: string, params?: object, take?: (reply: string) => void): Promise<string> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#replies.set(id, (reply) => {
        take?.(reply);
        resolve(reply);
      });
      this.#connection.dispatch(JSON.stringify({ id, method, params }));
    });
  }

  /**
   * Carries out the server's messages, with no user code in between.
   *
   * @param options `hold`: whether the main thread is held afterwards; `run`: µs that it must have run
   * since its last hold.
   */
  async batch(
    messages: readonly CdpMessage[],
    options: { hold: boolean; run: number },
  ): Promise<Outcome> {
    const heldAt = this.#heldAt;
    if (heldAt === undefined) await letRun(await this.#passed + options.run / 1000);
    const entry = heldAt === undefined ? this.#postEntry(messages) : undefined;
    let last: Promise<unknown> = Promise.resolve();
    for (const message of messages) last = this.#dispatch(message);
    const exit = options.hold ? this.#postGate() : undefined;
    this.#setHeld(exit?.index);
    const wasWaiting = this.#open(entry?.index ?? heldAt!);
    // The main thread is running, at an unknown place.
    if (!entry && !wasWaiting) this.interruptedAt = "";
    const isWhole = entry ? await entry.passed : wasWaiting;
    await last;
    if (!isWhole || (exit && !this.#hasArrived(exit.index))) return { isWhole: false, gate: 0 };
    return { isWhole: true, gate: exit ? this.#control[exit.index + 1] : 0 };
  }

  /**
   * Ends the hold, if there is one.
   *
   * @param options `serial`: a gate's number that somebody else has written to the pipe.
   */
  release(options: { serial?: number } = {}): void {
    if (this.#heldAt === undefined) return;
    const index = this.#heldAt;
    this.#setHeld(undefined);
    if (options.serial === this.#control[index + 1]) {
      Atomics.store(this.#control, index, GATE_OPEN);
    } else this.#open(index);
  }

  #setHeld(index: number | undefined): void {
    clearTimeout(this.#timer);
    this.#heldAt = index;
    if (index === undefined) return;
    this.#timer = setTimeout(() => {
      this.release();
      this.#options.expired();
    }, this.#options.holdTimeout);
  }

  restore(): Promise<unknown> {
    this.release();
    this.send("Profiler.stopPreciseCoverage");
    this.send("Profiler.disable");
    return this.send("Runtime.evaluate", { expression: agentCall("restore()"), silent: true });
  }

  disconnect(): void {
    this.release();
    this.#connection.disconnect();
    closeSync(this.#pipe);
  }

  /** Resolves after the answer has come and was passed on. */
  #dispatch(message: CdpMessage): Promise<void> {
    return new Promise((resolve) => {
      this.#replies.set(message.id, (reply) => {
        this.#options.receive(message.id, reply);
        resolve();
      });
      this.#connection.dispatch(message.text);
    });
  }

  /** The gate before messages; before a collection, its answer has the place that was interrupted. */
  #postEntry(messages: readonly CdpMessage[]): { index: number; passed: Promise<boolean> } {
    this.interruptedAt = "";
    return this.#postGate(isTaking(messages.at(-1)?.text) ? "enter" : "gate");
  }

  /** Makes the main thread evaluate the next gate; `passed` says whether it was let through there. */
  #postGate(kind: "enter" | "gate" = "gate"): { index: number; passed: Promise<boolean> } {
    const serial = this.#nextSerial++;
    const gate = serial % GATES;
    const index = CONTROL.gates + 2 * gate;
    this.#control[index + 1] = serial;
    Atomics.store(this.#control, index, GATE_CLOSED);
    // The same text each time for each gate, so that V8 compiles it only once.
    const expression = agentCall(`${kind}(${gate})`);
    const params = { expression, silent: true, returnByValue: true };
    const reply = this.send("Runtime.evaluate", params, (text) => {
      // The answer of the collection may come in the same moment.
      if (kind === "enter") this.interruptedAt = placeIn(text);
    });
    const passed = reply.then((text) => {
      const isPassed = text.includes('"value":true') || placeIn(text) !== "";
      if (!isPassed && this.#heldAt === index) this.#setHeld(undefined);
      return isPassed;
    });
    this.#passed = passed.then(() => performance.now());
    return { index, passed };
  }

  /** @returns whether the main thread was waiting at the gate. */
  #open(index: number): boolean {
    const wasWaiting = Atomics.exchange(this.#control, index, GATE_OPEN) === GATE_WAITING;
    if (wasWaiting) writeSync(this.#pipe, Int32Array.of(this.#control[index + 1]));
    return wasWaiting;
  }

  /**
   * Whether the main thread has come to the gate. It does so some µs after the answer to the last message was
   * sent, unless its stack is used up and the gate cannot be called.
   */
  #hasArrived(index: number): boolean {
    if (Atomics.load(this.#control, index) === GATE_CLOSED) {
      Atomics.wait(this.#control, index, GATE_CLOSED, ARRIVAL_TIMEOUT);
    }
    return Atomics.load(this.#control, index) === GATE_WAITING;
  }
}

/** The interrupted place in a gate's answer. */
function placeIn(reply: string): string {
  if (!reply.includes('"type":"string"')) return "";
  return JSON.parse(reply).result.result.value;
}
