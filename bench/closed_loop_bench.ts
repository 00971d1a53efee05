/**
 * Executions a second of the closed loop for three sizes of target, by each way of measuring, side by side
 * with the same loop without coverage. The floor of `v8` is a service that collects in-process; Jazzer.js has
 * its counters in-process, too, and nobody reads them.
 *
 * Run it with `node dist/bench/closed_loop_bench.js [ROUNDS]`; its last output is in `closed_loop_bench.txt`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism, release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFile, execute, SERVICES } from "../test/e2e/harness.ts";
import { findWants, Scenes, startSubjects, type Subject } from "./closed_loop_subjects.ts";

const HERE = fileURLToPath(new URL("../../bench/", import.meta.url));
/** Requests of a round. */
const TARGETS = { classifier: 3000, js_yaml: 600, prettier: 150 };
/** Rounds of warm-up: tables are made, windows learned, and V8 compiles. */
const WARM_UP = 3;

/** Medians of the rounds, in us. */
type Samples = Map<Subject, number[]>;

async function median(
  client: string,
  run: { subject: Subject; input: string; requests: number },
): Promise<number> {
  const { kcov, socket, name } = run.subject;
  const { stdout, stderr } = await execute(
    [client, kcov, socket, run.input, String(run.requests)],
  );
  const found = stdout.match(/median ([\d.]+)/);
  if (!found) throw new Error(`Cannot measure ${name}: ${stderr}`);
  return Number(found[1]);
}

async function measure(service: keyof typeof TARGETS, rounds: number): Promise<Samples> {
  const client = compileFile(join(HERE, "closed_loop.c"));
  await using scenes = new Scenes();
  const input = join(scenes.add().folder, "input");
  const writer = spawn(process.execPath, [join(SERVICES, "inputs.cjs"), "--bench", service, input]);
  await once(writer, "close");
  const subjects = await startSubjects(scenes, service);
  const samples: Samples = new Map(subjects.map((subject) => [subject, []]));
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const subject of subjects) {
      const one = await median(client, { subject, input, requests: TARGETS[service] });
      if (round >= 0) samples.get(subject)!.push(one);
    }
  }
  return samples;
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** Ratios are the medians of the rounds' ratios. */
function format(service: string, samples: Samples): string {
  const ratio = (own: number[], others: number[]) =>
    middle(own.map((time, i) => time / others[i])).toFixed(2).padStart(8);
  const [plain] = [...samples.values()];
  const rows = [...samples].map(([{ name }, own]) => {
    const us = middle(own);
    const columns = [us.toFixed(us < 100 ? 1 : 0), (1e6 / us).toFixed(0)];
    return `  ${name.padEnd(26)}${columns.map((text) => text.padStart(8)).join("")}` +
      `${ratio(own, plain)}\n`;
  });
  const [floor, counts] = [...samples.values()].slice(-2);
  return `${service.padEnd(28)}      us   per s : plain\n${rows.join("")}` +
    `  ${"v8 : its floor".padEnd(42)}${ratio(counts, floor)}\n`;
}

async function run(rounds: number): Promise<void> {
  process.stdout.write(
    `${availableParallelism()} CPUs, Linux ${release().split("-")[0]}, Node ${process.version}; ` +
      `medians of ${rounds} rounds\n\n`,
  );
  for (const service of Object.keys(TARGETS) as (keyof typeof TARGETS)[]) {
    process.stdout.write(format(service, await measure(service, rounds)));
  }
}

const wants = findWants();
if (wants) {
  process.stderr.write(`Cannot measure: this needs ${wants}\n`);
  process.exitCode = 1;
} else await run(Number(process.argv[2] ?? 5));
