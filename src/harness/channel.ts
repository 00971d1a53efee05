import * as fs from "node:fs";
import { ANSWER, CHANNEL } from "./protocol.ts";

// User code may replace these.
const { readSync, writeSync } = fs;

/** Bytes of a size. */
const SIZE = 4;
const FIRST_CAPACITY = 64 * 1024;

/** The harness's end of the channel. Reads and writes block the thread. */
export class Channel {
  #buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  readonly #ok = Buffer.of(ANSWER.ok);

  /**
   * The next input, in a buffer of its own that nothing else refers to.
   *
   * @returns undefined when the other end is closed.
   */
  read(): Buffer | undefined {
    let filled = 0;
    // The sender sends size and bytes at once: one call takes both.
    for (let wanted = SIZE; filled < wanted;) {
      const count = this.#readSome(filled);
      if (count === 0) return undefined;
      filled += count;
      if (filled < SIZE) continue;
      wanted = SIZE + this.#buffer.readUInt32LE(0);
      this.#grow(wanted);
    }
    const input = Buffer.allocUnsafeSlow(filled - SIZE);
    this.#buffer.copy(input, 0, SIZE, filled);
    return input;
  }

  /** Tells that the input did nothing wrong. */
  ok(): void {
    writeSync(CHANNEL, this.#ok, 0, 1);
  }

  /** Any other answer. */
  answer(kind: number, value?: unknown): void {
    if (value === undefined) return this.#write(Buffer.of(kind));
    const text = Buffer.from(JSON.stringify(value));
    const head = Buffer.alloc(1 + SIZE);
    head[0] = kind;
    head.writeUInt32LE(text.length, 1);
    this.#write(Buffer.concat([head, text]));
  }

  #readSome(at: number): number {
    for (;;) {
      try {
        return readSync(CHANNEL, this.#buffer, at, this.#buffer.length - at, null);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ECONNRESET") return 0;
        if (code !== "EAGAIN" && code !== "EINTR") throw error;
      }
    }
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) at += writeSync(CHANNEL, bytes, at);
  }

  #grow(wanted: number): void {
    if (wanted <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(wanted);
    this.#buffer.copy(larger);
    this.#buffer = larger;
  }
}
