import { closeSync, writeSync } from "node:fs";
import type { MessagePort } from "node:worker_threads";
import { agentCall, CONTROL } from "../../messages/shared_words.ts";
import {
  type CdpMessage,
  type Isolate,
  type IsolateOptions,
  letRun,
  type Outcome,
} from "../../messages/isolate.ts";
import { openOwnPipe } from "./own_pipe.ts";

/** An order to the thread's side (`thread_isolate.cts`). */
export interface Order {
  /** Above 0; the same number ends the hold. */
  readonly serial: number;
  /** CDP messages. */
  readonly messages: readonly string[];
  readonly hold: boolean;
}

/** The thread's answer, sent from within the hold. */
export interface Answer {
  readonly serial: number;
  /** The replies to each message. */
  readonly replies: readonly (readonly string[])[];
  /** See {@linkcode Isolate.interruptedAt}. */
  readonly place: string;
}

export interface WorkerThreadOptions extends IsolateOptions {
  readonly port: Pick<MessagePort, "postMessage">;
  /** Makes the thread evaluate an expression; see `ThreadSessions.evaluate`. */
  readonly evaluate: (expression: string) => Promise<string | undefined>;
  /** Ends the JavaScript that the thread runs. */
  readonly terminate: () => void;
}

/** The number that goes through the pipe when there are orders. */
const LOOK = 0;
const ATTEND = agentCall("attend()");
/** V8's answer if `Worker.prototype.terminate` was called meanwhile. */
const TERMINATED = "Execution was terminated";

/**
 * A worker thread of the target: carries out batches of CDP messages in it, and holds it.
 *
 * The thread does a whole batch within one call of its `attend`, so no user code runs between a
 * collection and the hold. The call is made through the inspector, for which the main thread must run;
 * a thread that is held is reached by its pipe.
 */
export class WorkerThread implements Isolate {
  readonly #control: Int32Array;
  readonly #options: WorkerThreadOptions;
  readonly #pipe: number;
  interruptedAt = "";
  #nextSerial = 1;
  /** The order under way. */
  #awaited: { serial: number; resolve: (answer: Answer | undefined) => void } | undefined;
  /** The order at which the thread is held, or 0, and the timer that ends the hold. */
  #gate = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The time when the thread went on after the last hold, on `performance.now()`'s clock. */
  #passed: Promise<number> = Promise.resolve(-Infinity);

  /** @param control The words shared with the thread. */
  constructor(control: Int32Array, options: WorkerThreadOptions) {
    this.#control = control;
    this.#options = options;
    this.#pipe = openOwnPipe(options.pipe);
    Atomics.store(control, CONTROL.pipe, this.#pipe);
  }

  async batch(
    messages: readonly CdpMessage[],
    { hold, run }: { hold: boolean; run: number },
  ): Promise<Outcome> {
    const wasHeld = this.#gate !== 0;
    if (!wasHeld && run > 0) await letRun(await this.#passed + run / 1000);
    const serial = this.#nextSerial++;
    const answered = new Promise<Answer | undefined>((resolve) => {
      this.#awaited = { serial, resolve };
    });
    this.#order({ serial, messages: messages.map(({ text }) => text), hold });
    this.#setHeld(hold ? serial : 0);
    if (wasHeld) this.#write(LOOK);
    // Even a thread that was held is called: it may have just been let go.
    this.#call(serial);
    const answer = await answered;
    this.#awaited = undefined;
    this.interruptedAt = answer?.place ?? "";
    for (const [i, replies] of answer?.replies.entries() ?? []) {
      for (const reply of replies) this.#options.receive(messages[i].id, reply);
    }
    const isWhole = answer !== undefined && (!hold || this.#gate === serial);
    if (!isWhole && this.#gate === serial) this.release();
    return { isWhole, gate: isWhole && hold ? serial : 0 };
  }

  #order(order: Order): void {
    Atomics.store(this.#control, CONTROL.order, order.serial);
    this.#options.port.postMessage(order);
  }

  /** Calls the thread to its orders. If it has not answered by then, it cannot. */
  #call(serial: number): void {
    const called = this.#options.evaluate(ATTEND);
    this.#passed = called.then(async (reply) => {
      const passed = performance.now();
      if (reply?.includes(TERMINATED)) this.#terminate();
      // Its stack may be used up.
      if (!reply || reply.includes('"exceptionDetails"')) await this.#giveUp(serial);
      return passed;
    });
  }

  /**
   * V8 ends the JavaScript that runs at the time. That was `attend`, so the code that it had interrupted goes
   * on: for ever, if it calls only JavaScript (measured on Node 20, 24 and 26).
   */
  #terminate(): void {
    if (Atomics.load(this.#control, CONTROL.terminated) !== 0) this.#options.terminate();
  }

  async #giveUp(serial: number): Promise<void> {
    // The thread's answer comes by another way than this one, so it may still be on its way.
    await letRun(performance.now() + 5);
    if (this.#awaited?.serial !== serial) return;
    Atomics.compareExchange(this.#control, CONTROL.order, serial, 0);
    this.#awaited.resolve(undefined);
  }

  /** Takes the thread's answer. */
  answer(answer: Answer): void {
    if (this.#awaited?.serial === answer.serial) this.#awaited.resolve(answer);
    // The order was carried out just when it was given up.
    else this.#write(answer.serial);
  }

  release(options: { serial?: number } = {}): void {
    if (this.#gate === 0) return;
    const gate = this.#gate;
    this.#setHeld(0);
    if (options.serial !== gate) this.#write(gate);
  }

  #setHeld(gate: number): void {
    clearTimeout(this.#timer);
    this.#gate = gate;
    if (gate === 0) return;
    this.#timer = setTimeout(() => {
      this.release();
      this.#options.expired();
    }, this.#options.holdTimeout);
  }

  #write(number: number): void {
    writeSync(this.#pipe, Int32Array.of(number));
  }

  disconnect(): void {
    Atomics.store(this.#control, CONTROL.order, 0);
    this.release();
    this.#awaited?.resolve(undefined);
  }

  /** The thread has ended: nobody reads its pipe any more. */
  close(): void {
    this.disconnect();
    closeSync(this.#pipe);
  }
}
