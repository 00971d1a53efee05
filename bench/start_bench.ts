/**
 * The time from a service's start to its first answer, with and without kcovfs. `new` has an empty symbol
 * table; `known` has the entries of the start before, as for a server that was started anew; `kept` has a
 * server that has seen the same scripts before. With `v8` a script's blocks are found at the first
 * collection, which comes after the measured time.
 *
 * Run it with `node dist/bench/start_bench.js [ROUNDS]`; its last output is in `start_bench.txt`.
 */
import { availableParallelism, release } from "node:os";
import { Scene } from "../test/e2e/harness.ts";
import { COUNTS, DIRECT, type Measure } from "../test/e2e/measures.ts";

const SERVICES = ["classifier", "babel_parser", "prettier"];
const COLUMNS = ["plain", "v8 new", "v8 kept", "trace new", "trace known", "trace kept"];

/** @returns ms until it says that it is ready. */
async function start(scene: Scene, service: string, isPlain = false): Promise<number> {
  const began = performance.now();
  const { child } = await scene.service(service, { isPlain });
  const ms = performance.now() - began;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
  return ms;
}

async function starts(service: string, { options }: Measure): Promise<Record<string, number>> {
  await using scene = new Scene();
  const first = await scene.serve(...options);
  const times = { new: await start(scene, service), kept: await start(scene, service) };
  const ended = new Promise((resolve) => first.once("exit", resolve));
  first.kill("SIGTERM");
  await ended;
  await scene.serve(...options);
  return { ...times, known: await start(scene, service) };
}

async function round(service: string): Promise<number[]> {
  await using scene = new Scene();
  const plain = await start(scene, service, true);
  const v8 = await starts(service, COUNTS);
  const trace = await starts(service, DIRECT);
  return [plain, v8.new, v8.kept, trace.new, trace.known, trace.kept];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

async function run(rounds: number): Promise<void> {
  process.stdout.write(
    `${availableParallelism()} CPUs, Linux ${release().split("-")[0]}, Node ${process.version}; ` +
      `ms, medians of ${rounds} rounds\n\n` +
      `${" ".repeat(14)}${COLUMNS.map((name) => name.padStart(13)).join("")}\n`,
  );
  for (const service of SERVICES) {
    const rows: number[][] = [];
    for (let i = 0; i < rounds; i++) rows.push(await round(service));
    const cells = COLUMNS.map((_, column) => median(rows.map((row) => row[column])).toFixed(0));
    process.stdout.write(
      `${service.padEnd(14)}${cells.map((cell) => cell.padStart(13)).join("")}\n`,
    );
  }
}

await run(Number(process.argv[2] ?? 5));
