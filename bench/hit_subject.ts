/** One row of `hit_bench.ts`: `hit_subject ROW`, on the Node that is measured. Prints ns a hit. */
import { ProbesAlone, WINDOW_WORDS } from "./probes_alone.ts";
import { HIT_ROWS, type HitRow } from "./hit_rows.ts";
import { threadClock } from "./thread_time.ts";

/** Passes of the loop: fewer than an area has words. */
const PASSES = 200_000;
/** ns of the thread's own time; the second half of it counts. */
const DURATION = 5e8;

type Loop = (passes: number) => number;

/** Compiles a loop of its own, as a loader would: the probe is code in it, not a string that it evaluates. */
function compile(probe: string): Loop {
  const body = `let sum = 0;
    for (let i = 0; i < passes; i++) { ${probe}; sum = (sum + i) | 0; }
    return sum;`;
  return new Function("passes", body) as Loop;
}

function timeOf(loop: Loop, { before }: { before: () => void }): number {
  const clock = threadClock();
  const times: number[] = [];
  for (const start = clock(); clock() - start < DURATION;) {
    before();
    const began = clock();
    loop(PASSES);
    times.push((clock() - began) / PASSES);
  }
  const late = times.slice(times.length >> 1).sort((a, b) => a - b);
  return late[late.length >> 1];
}

async function measure(row: HitRow): Promise<number> {
  await using probes = await ProbesAlone.start();
  await probes.write(row.areas);
  const empty = timeOf(compile(""), { before: () => {} });
  const start = row.isBeyondWindow ? WINDOW_WORDS : 0;
  const time = timeOf(compile(row.probe), { before: () => probes.reset(start) });
  const expected = row.records ?? PASSES;
  const isRight = row.isFolded
    ? probes.count > 0 && probes.count < expected / 4
    : probes.count - start === expected;
  if (!isRight) {
    throw new Error(`Cannot measure ${row.name}: ${probes.count - start} of ${expected} hits`);
  }
  return time - empty;
}

const row = HIT_ROWS.find(({ name }) => name === process.argv[2]);
if (!row) throw new Error(`Cannot measure ${process.argv[2]}: there is no such row`);
process.stdout.write(`${(await measure(row)).toFixed(3)}\n`);
