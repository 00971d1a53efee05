/**
 * How long page 0 stays mapped after a read of it was answered. Most clients reset right after they
 * read; a reset that falls into the window of the read is taken in with it, one that misses it costs a
 * fault and a collection of its own. So the window follows the client: it settles where about one
 * return in {@linkcode ODDS} misses it.
 */

/** All in microseconds. */
export const PAGE_WINDOW = {
  initial: 0,
  /** Dropping the page takes some tens of µs by itself, which is enough for many a client. */
  least: 0,
  /** About what a fault with its collection costs: a client slower than this is not waited for. */
  most: 600,
} as const;

/** A miss widens the window by this many µs, and a hit narrows it by as much divided by the odds. */
const STEP = 16;
const ODDS = 100;

/**
 * The window after one that came out like this.
 *
 * @param window The window's length, in µs.
 * @param outcome `reset`: the client reset within it. `missed`: it came back only to reset, or to read
 * on, `after` µs from when the window opened.
 */
export function nextWindow(
  window: number,
  outcome: { kind: "reset" } | { kind: "missed"; after: number },
): number {
  const isNear = outcome.kind === "missed" && outcome.after <= PAGE_WINDOW.most;
  const next = isNear ? window + STEP : window - STEP / ODDS;
  return Math.min(Math.max(next, PAGE_WINDOW.least), PAGE_WINDOW.most);
}
