/**
 * The cost of a probe in a loop, which V8 has optimised unless the row says otherwise: ns of the thread's own
 * time, less those of the same loop without the probe; and the ratio to the loop with one enabled instance. A
 * target whose areas come to clients by faults has a buffer, which is like the area of one instance.
 *
 * Run it with `node dist/bench/hit_bench.js [ROUNDS]`; its last output is in `hit_bench.txt`.
 */
import { availableParallelism, release } from "node:os";
import { fileURLToPath } from "node:url";
import { execute, NODES } from "../test/e2e/harness.ts";
import { HIT_ROWS, type HitRow } from "./hit_rows.ts";
import { COMPILE_AT_ONCE } from "./thread_time.ts";

const SUBJECT = fileURLToPath(new URL("./hit_subject.js", import.meta.url));

async function sample(node: string, row: HitRow): Promise<number> {
  const command = [node, COMPILE_AT_ONCE, ...row.flags ?? [], SUBJECT, row.name];
  const { stdout, stderr } = await execute(command);
  if (!/^-?[\d.]+\n$/.test(stdout)) throw new Error(`Cannot measure ${row.name}: ${stderr}`);
  return Number(stdout);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

async function run(rounds: number): Promise<void> {
  const nodes = Object.entries(NODES);
  const samples = new Map(HIT_ROWS.map((row) => [row, nodes.map((): number[] => [])]));
  for (let round = 0; round < rounds; round++) {
    for (const [row, columns] of samples) {
      for (const [i, [, node]] of nodes.entries()) columns[i].push(await sample(node, row));
    }
  }
  const [base] = [...samples.values()];
  process.stdout.write(
    `${availableParallelism()} CPUs, Linux ${
      release().split("-")[0]
    }; medians of ${rounds} rounds\n\n` +
      `${" ".repeat(34)}${nodes.map(([name]) => name.padStart(14)).join("")}\n` +
      `${" ".repeat(34)}${nodes.map(() => "ns   : one".padStart(14)).join("")}\n`,
  );
  for (const [row, columns] of samples) {
    const cells = columns.map((own, i) =>
      median(own).toFixed(1).padStart(7) +
      median(own.map((ns, round) => ns / base[i][round])).toFixed(1).padStart(7)
    );
    process.stdout.write(`${row.name.padEnd(34)}${cells.join("")}\n`);
  }
}

await run(Number(process.argv[2] ?? 5));
