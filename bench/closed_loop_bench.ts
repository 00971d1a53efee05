/**
 * Executions a second of the closed loop for three sizes of target, side by side with the floor: the
 * same loop without kcovfs, whose service collects in-process. Run it with
 * `node dist/bench/closed_loop_bench.js [ROUNDS]`; what it printed last is in `closed_loop_bench.txt`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFile, execute, Scene, SERVICES } from "../test/e2e/harness.ts";

const HERE = fileURLToPath(new URL("../../bench/", import.meta.url));
const TARGETS = { classifier: 1500, js_yaml: 500, prettier: 120 };

interface Row {
  readonly plain: number;
  readonly floor: number;
  readonly kcovfs: number;
}

async function median(
  client: string,
  run: { kcov: string; socket: string; input: string; requests: number },
): Promise<number> {
  const { kcov, socket, input, requests } = run;
  const { stdout, stderr } = await execute([client, kcov, socket, input, String(requests)]);
  const found = stdout.match(/median ([\d.]+)/);
  if (!found) throw new Error(`Cannot measure: ${stderr}`);
  return Number(found[1]);
}

async function startFloor(scene: Scene, name: string, mode: string): Promise<string> {
  const socket = join(scene.folder, `floor-${name}-${mode}`);
  const child = scene.start([
    process.execPath,
    join(HERE, "floor_service.cjs"),
    name,
    socket,
    mode,
  ]);
  await once(child.stdout!, "data");
  return socket;
}

async function measure(scene: Scene, name: string, rounds: number): Promise<Row[]> {
  const requests = TARGETS[name as keyof typeof TARGETS];
  const client = compileFile(join(HERE, "closed_loop.c"));
  const input = join(scene.folder, `input-${name}`);
  const writer = spawn(process.execPath, [join(SERVICES, "inputs.cjs"), "--bench", name, input]);
  await once(writer, "close");
  const plain = await startFloor(scene, name, "plain");
  const floor = await startFloor(scene, name, "floor");
  const { socket } = await scene.service(name);
  const rows: Row[] = [];
  // The first round warms up: tables are made, windows learned.
  for (let round = 0; round <= rounds; round++) {
    const row = {
      plain: await median(client, { kcov: "-", socket: plain, input, requests }),
      floor: await median(client, { kcov: "-", socket: floor, input, requests }),
      kcovfs: await median(client, { kcov: scene.kcov, socket, input, requests }),
    };
    if (round > 0) rows.push(row);
  }
  return rows;
}

function middle(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

const rounds = Number(process.argv[2] ?? 5);
process.stdout.write(
  "target       plain us  floor us  kcovfs us  kcovfs/s  kcovfs : floor (median of the rounds' ratios)\n",
);
for (const name of Object.keys(TARGETS)) {
  await using scene = new Scene();
  await scene.serve();
  const rows = await measure(scene, name, rounds);
  const columns = [
    ...(["plain", "floor", "kcovfs"] as const).map((key) => middle(rows.map((row) => row[key]))),
    1e6 / middle(rows.map((row) => row.kcovfs)),
  ];
  const ratio = middle(rows.map((row) => row.kcovfs / row.floor));
  process.stdout.write(
    `${name.padEnd(12)} ${columns.map((value) => value.toFixed(0).padStart(8)).join("  ")}  ${
      ratio.toFixed(2)
    }\n`,
  );
}
