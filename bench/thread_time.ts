import { createRequire } from "node:module";
import type * as Koffi from "koffi";

/** A flag for V8: when it optimises must not depend on the machine's other work. */
export const COMPILE_AT_ONCE = "--no-concurrent-recompilation";

/** Of `linux/time.h`. */
const CLOCK_THREAD_CPUTIME_ID = 3;

/** @returns a clock: ns for which this thread has run, so that the work of others does not count. */
export function threadClock(): () => number {
  const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
  const clockGettime = koffi.load(null).func("int clock_gettime(int, void *)");
  const time = new BigInt64Array(2);
  return () => {
    clockGettime(CLOCK_THREAD_CPUTIME_ID, time);
    return Number(time[0] * 1_000_000_000n + time[1]);
  };
}
