/**
 * What the agent's parts that run in the target's isolates know of the memory that they share with the
 * agent's worker. The numbers are those of `messages/shared_words.ts`, which CommonJS cannot import: keep the two in
 * step.
 */
const CONTROL = {
  state: 0,
  farewell: 1,
  pipe: 2,
  order: 4,
  natives: 5,
  textLength: 6,
  limit: 7,
  enough: 8,
  comparisons: 9,
  generation: 10,
  answers: 11,
  busy: 12,
  terminated: 13,
  gates: 16,
  text: 32,
  areas: 96,
} as const;
const AREAS_SIZE = 2048;
const AREA = {
  ...{ low: 0, high: 1, words: 2, flags: 3 },
  ...{ turnsLow: 4, turnsHigh: 5, turnsFd: 6, writer: 7 },
  size: 8,
} as const;
const AREA_COMPARISONS = 1;
const READY = 1;
const ABSENT = 2;
const CONTROL_SIZE = (CONTROL.areas + 2 * AREAS_SIZE) * 4;
/** ms that the server is given to answer before the target starts without it. */
const START_TIMEOUT = 30_000;
/** ms that the server is given to take the last coverage. */
const FAREWELL_TIMEOUT = 30_000;

const { load, wait } = Atomics;
const { hrtime } = process;

/** ms on a clock that only goes on: that of `Date` may be set meanwhile. */
function now(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Waits at a word of memory, in short turns, which lets the inspector's messages interrupt it. */
function waitFor(
  isOver: () => boolean,
  { control, index, timeout }: { control: Int32Array; index: number; timeout: number },
): void {
  const deadline = now() + timeout;
  while (!isOver() && now() < deadline) wait(control, index, load(control, index), 1);
}

/** What `writeText` of `messages/shared_words.ts` wrote: the target's name, or why there is none. */
function textIn(control: Int32Array): string {
  const bytes = new Uint8Array(control.buffer, CONTROL.text * 4, load(control, CONTROL.textLength));
  return Buffer.from(bytes).toString();
}

module.exports = {
  ABSENT,
  AREA,
  AREA_COMPARISONS,
  AREAS_SIZE,
  CONTROL,
  CONTROL_SIZE,
  FAREWELL_TIMEOUT,
  READY,
  START_TIMEOUT,
  textIn,
  waitFor,
};
