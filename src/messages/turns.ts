import { closeSync, openSync } from "node:fs";
import { COUNT_BITS } from "./shared_words.ts";
import { libc, mapShared, unmap } from "../base/system_calls.ts";

/** Bytes of a file of turns. */
export const TURNS_SIZE = 4096;

/** The most writers of an area: the count of turns and the sign bit leave 12 bits. */
const MOST_WRITERS = 0xfff;

const F_OFD_SETLK = 37;
const F_WRLCK = 1;

/**
 * One isolate's part in the turns that the writers of an area take. The area's client does not see them.
 *
 * The first word of the file says whose turn it is: 0, or a writer's number and the count of its turns.
 * `probes.cts` takes turns by it. Each writer has locked the byte of its number in the file
 * (`F_OFD_SETLK`), and the kernel unlocks it when the process ends. So others see that a writer is gone that
 * still has its turn, even if they can see neither its process nor a server.
 */
export class Turns implements Disposable {
  /** Open as long as this isolate is a writer. */
  readonly fd: number;
  /** The address of the word. */
  readonly address: bigint;
  /** This isolate's number, which no other writer of the area has; from 1 on. */
  readonly writer: number;

  /**
   * @param path Path of the file, which the server has made.
   * @throws if it cannot be opened or mapped, or has too many writers.
   */
  constructor(path: string) {
    this.fd = openSync(path, "r+");
    try {
      this.writer = takeNumber(this.fd, path);
      const { address, memory } = mapShared(this.fd, TURNS_SIZE);
      this.address = address;
      endTurnOf(this.writer, new Int32Array(memory, 0, 1));
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    unmap(this.address, TURNS_SIZE);
    closeSync(this.fd);
  }
}

/** Locks the first byte that nobody has locked. */
function takeNumber(fd: number, path: string): number {
  for (let writer = 1; writer <= MOST_WRITERS; writer++) {
    if (lock(fd, writer)) return writer;
  }
  throw new Error(`Cannot take turns by ${path}: it has ${MOST_WRITERS} writers, or no locks`);
}

function lock(fd: number, byte: number): boolean {
  const fcntl = libc("int fcntl(int, int, ...)");
  // `struct flock`: its type, then 64 bits each of start and length.
  const flock = Int32Array.of(F_WRLCK, 0, byte, 0, 1, 0, 0, 0);
  return fcntl(...[fd, F_OFD_SETLK], ...["void *", flock]) === 0;
}

/**
 * Ends the turn of an earlier writer of this number, which was gone when this one took the number: otherwise
 * everyone who waits for that writer would wait for this one.
 */
function endTurnOf(writer: number, turns: Int32Array): void {
  const turn = Atomics.load(turns, 0);
  if (turn >>> COUNT_BITS === writer) Atomics.compareExchange(turns, 0, turn, 0);
}
