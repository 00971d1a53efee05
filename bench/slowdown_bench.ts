/**
 * How many times as long libraries take with probes as without, once V8 has optimised both; the same for the
 * instrumentation of Jazzer.js: its counters of blocks, alone and with its hooks at comparisons (without their
 * native part, in its favour). Measured in the thread's own time.
 *
 * Run it with `node dist/bench/slowdown_bench.js [ROUNDS]`; its last output is in `slowdown_bench.txt`.
 */
import { availableParallelism, release } from "node:os";
import { fileURLToPath } from "node:url";
import { execute, NODES } from "../test/e2e/harness.ts";
import { findWants } from "./closed_loop_subjects.ts";
import { SLOWDOWN_LIBRARIES } from "./slowdown_libraries.ts";
import { COMPILE_AT_ONCE } from "./thread_time.ts";

const SUBJECT = fileURLToPath(new URL("./slowdown_subject.js", import.meta.url));
const VARIANTS = [
  "plain",
  "no instance",
  "one instance",
  "comparisons",
  "Jazzer.js, blocks",
  "Jazzer.js",
];

interface Sample {
  readonly ms: number;
  readonly hits: number;
}

async function sample(
  node: string,
  { library, variant }: { library: string; variant: string },
): Promise<Sample> {
  const { stdout, stderr } = await execute([node, COMPILE_AT_ONCE, SUBJECT, library, variant]);
  if (!stdout.startsWith("{")) throw new Error(`Cannot measure ${library}, ${variant}: ${stderr}`);
  return JSON.parse(stdout);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** A line of the table: ratios are the medians of the rounds' ratios. */
async function row(
  node: string,
  { library, rounds }: { library: string; rounds: number },
): Promise<string> {
  const samples = VARIANTS.map((): Sample[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, variant] of VARIANTS.entries()) {
      samples[i].push(await sample(node, { library, variant }));
    }
  }
  const [plain, ...others] = samples;
  const ratios = others.map((own) => median(own.map(({ ms }, i) => ms / plain[i].ms)).toFixed(2));
  const hits = samples[VARIANTS.indexOf("one instance")][0].hits;
  return [
    median(plain.map(({ ms }) => ms)).toFixed(2).padStart(8),
    String(hits).padStart(9),
    ...ratios.map((ratio, i) => ratio.padStart(VARIANTS[i + 1].length + 2)),
  ].join("");
}

async function run(rounds: number): Promise<void> {
  process.stdout.write(
    `${availableParallelism()} CPUs, Linux ${
      release().split("-")[0]
    }; medians of ${rounds} rounds\n\n` +
      `${" ".repeat(15)}plain ms     hits  ${VARIANTS.slice(1).join("  ")}\n`,
  );
  for (const [name, node] of Object.entries(NODES)) {
    process.stdout.write(`${name}\n`);
    for (const library of Object.keys(SLOWDOWN_LIBRARIES)) {
      process.stdout.write(`  ${library.padEnd(13)}${await row(node, { library, rounds })}\n`);
    }
  }
}

const wants = findWants();
if (wants) {
  process.stderr.write(`Cannot measure: this needs ${wants}\n`);
  process.exitCode = 1;
} else await run(Number(process.argv[2] ?? 3));
