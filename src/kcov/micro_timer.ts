/**
 * Calls back after some microseconds, which `setTimeout` cannot. The thread sleeps for that long, on a
 * futex: it must not occupy the core that the client, just woken, may need. So use it only for waits of
 * well under a millisecond: everything else that arrives must wait for so long.
 */
export class MicroTimer {
  #waiting: { readonly due: number; readonly call: () => void }[] = [];
  #isTurning = false;
  readonly #cell = new Int32Array(new SharedArrayBuffer(4));

  /** @param us Microseconds from now. */
  after(us: number, call: () => void): void {
    this.#waiting.push({ due: microseconds() + us, call });
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(this.#turn);
  }

  /** Sleeps until the first is due; between two sleeps the event loop handles what has arrived. */
  #turn = (): void => {
    const first = this.#waiting.reduce((least, { due }) => Math.min(least, due), Infinity);
    const left = first - microseconds();
    if (left > 0) Atomics.wait(this.#cell, 0, 0, left / 1000);
    const now = microseconds();
    const due = this.#waiting.filter((timer) => timer.due <= now);
    this.#waiting = this.#waiting.filter((timer) => timer.due > now);
    this.#isTurning = this.#waiting.length > 0;
    if (this.#isTurning) setImmediate(this.#turn);
    for (const timer of due) timer.call();
  };
}

/** Microseconds on a monotonic clock. */
export function microseconds(): number {
  return performance.now() * 1000;
}
