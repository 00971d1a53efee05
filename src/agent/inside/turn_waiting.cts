/** How a hit waits for its turn at an area. It cannot use `Atomics.wait`: user code may be in that. */
import type * as Koffi from "koffi";

// User code may replace these.
const { Int32Array: Halves } = globalThis;
const { min } = Math;

/** The first waits in a row for one turn do not sleep, as a turn takes some 50 ns. */
const SPINS = 100;
/** The next waits are sleeps that become longer, up to this many µs. */
const LONGEST_SLEEP = 1000;
/** From this wait on, each wait checks whether the turn's owner is gone. */
const PATIENCE = SPINS + 10;
/** After so many waits the turn is taken from its owner: 1 s, or longer where processors are busy. */
const MOST_WAITS = SPINS + 1000;

const F_OFD_GETLK = 36;
const F_WRLCK = 1;
const F_UNLCK = 2;
interface Waiting {
  /** Whether the writer whose turn it is need not be waited for. */
  readonly isOver: (
    turnsFd: number,
    found: { readonly writer: number; readonly waits: number },
  ) => boolean;
  readonly wait: (waits: number) => void;
}

function makeWaiting(koffi: typeof Koffi): Waiting {
  const libc = koffi.load(null);
  const usleep = libc.func("int usleep(unsigned int)");
  const fcntl = libc.func("int fcntl(int, int, ...)");
  const isGone = (turnsFd: number, writer: number): boolean => {
    // `struct flock`: its type, then 64 bits each of start and length.
    const flock = new Halves(8);
    flock[0] = F_WRLCK;
    flock[2] = writer;
    flock[4] = 1;
    return fcntl(turnsFd, F_OFD_GETLK, "void *", flock) === 0 && (flock[0] & 0xffff) === F_UNLCK;
  };
  return {
    isOver: (turnsFd, { writer, waits }) =>
      waits >= MOST_WAITS || waits >= PATIENCE && isGone(turnsFd, writer),
    wait(waits) {
      if (waits >= SPINS) usleep(min(10 << min(waits - SPINS, 10), LONGEST_SLEEP));
    },
  };
}

const parts = { makeWaiting };
module.exports = parts;
export type Parts = typeof parts;
