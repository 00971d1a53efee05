/** A CDP message with its id; the answer has the same id. */
export interface CdpMessage {
  readonly id: number;
  readonly text: string;
}

export interface IsolateOptions {
  /** Path of a FIFO; the isolate opens and removes it. */
  readonly pipe: string;
  /** ms after which a hold is given up. */
  readonly holdTimeout: number;
  /** Takes the answers to the server's messages, by their id, and the events. */
  readonly receive: (id: number | undefined, message: string) => void;
  /** A hold was given up. */
  readonly expired: () => void;
}

/** The outcome of a batch. */
export interface Outcome {
  /** Whether the thread stood still from the first message on, and still does if it was to be held. */
  readonly isWhole: boolean;
  /** The number that lets the thread go when it comes through its pipe; 0 if the thread is not held. */
  readonly gate: number;
}

/** A thread of the target, as the agent's worker sees it: it can collect from the thread and hold it. */
export interface Isolate {
  /**
   * The place in JavaScript that the present batch has interrupted, in the form of `interrupted.cts`. Empty
   * if there is none, and while no collection is under way.
   */
  readonly interruptedAt?: string;
  /**
   * Carries out the server's messages, with no user code in between.
   *
   * @param options `hold`: whether the thread is held afterwards; `run`: µs that it must have run since
   * its last hold.
   */
  batch(
    messages: readonly CdpMessage[],
    options: { hold: boolean; run: number },
  ): Promise<Outcome>;
  /**
   * Ends the hold, if there is one.
   *
   * @param options `serial`: a gate's number that somebody else has written to the pipe.
   */
  release(options?: { serial?: number }): void;
  /** Ends the hold and the coverage, and puts everything back; resolves when that is done. */
  restore?(): Promise<unknown>;
  /** Leaves the thread alone for good. */
  disconnect(): void;
}

/** Resolves at a time on `performance.now()`'s clock. */
export async function letRun(until: number): Promise<void> {
  while (performance.now() < until) {
    const left = until - performance.now();
    await new Promise((resolve) =>
      left > 2 ? setTimeout(resolve, left - 1) : setImmediate(resolve)
    );
  }
}
