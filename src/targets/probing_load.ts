import type { Socket } from "node:net";

/** Scripts that wait for their probes, and their bytes: at this many, no more is read until there are fewer. */
const MOST_SCRIPTS = 1024;
const MOST_BYTES = 64 * 1024 * 1024;

/** The scripts of a target that wait for their probes. It bounds them by reading from the target or not. */
export class ProbingLoad {
  readonly #socket: Socket;
  #scripts = 0;
  #bytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Counts a script while a promise is not settled. */
  async during<T>(bytes: number, probe: () => Promise<T>): Promise<T> {
    this.#scripts++;
    this.#bytes += bytes;
    if (this.#isHigh) this.#socket.pause();
    try {
      return await probe();
    } finally {
      this.#scripts--;
      this.#bytes -= bytes;
      if (!this.#isHigh && this.#socket.isPaused()) this.#socket.resume();
    }
  }

  get #isHigh(): boolean {
    return this.#scripts >= MOST_SCRIPTS || this.#bytes >= MOST_BYTES;
  }
}
