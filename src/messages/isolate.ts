/** A CDP message with its id, which the answer bears. */
export interface CdpMessage {
  readonly id: number;
  readonly text: string;
}

/** What an {@linkcode Isolate} needs. */
export interface IsolateOptions {
  /** Path of a FIFO, which is opened and removed. */
  readonly pipe: string;
  /** ms after which a hold is given up. */
  readonly holdTimeout: number;
  /** Takes the answers to the server's messages, by their id, and the events. */
  readonly receive: (id: number | undefined, message: string) => void;
  /** A hold was given up. */
  readonly expired: () => void;
}

/** How a batch went. */
export interface Outcome {
  /** Whether the thread stood still from the first message on, and does so now if it was to. */
  readonly isWhole: boolean;
  /** The number that lets the thread go when it comes through its pipe; 0 where it is not held. */
  readonly gate: number;
}

/** A thread of the target's, as the agent's worker collects from it and holds it. */
export interface Isolate {
  /**
   * Where the JavaScript is that the batch under way has interrupted, as `interrupted.cts` tells it; empty where
   * there is none, and while no collection is under way.
   */
  readonly interruptedAt?: string;
  /**
   * Carries out messages of the server's in one go.
   *
   * @param options `hold`: whether the thread is held afterwards; `run`: µs that it must have run since
   * it was held last.
   */
  batch(
    messages: readonly CdpMessage[],
    options: { hold: boolean; run: number },
  ): Promise<Outcome>;
  /**
   * Ends the hold, if there is one.
   *
   * @param options `serial`: a gate's number that was written to the pipe by someone else.
   */
  release(options?: { serial?: number }): void;
  /** Ends the hold and the coverage, and has everything put back; resolves when that is done. */
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
