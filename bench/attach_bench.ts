/**
 * The cost of a request to a service: as it is, when it was attached to while it ran, and when it was started with
 * probes. On the three Nodes in turn; by the processor time of the service alone.
 *
 * Run it with `node dist/bench/attach_bench.js`; what it printed last is in `attach_bench.txt`.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { NODES, Scene } from "../test/e2e/harness.ts";

const REQUESTS = 1500;
const ROUNDS = 5;
/** ms of a tick of `/proc/PID/stat`. */
const TICK = 10;

const LINES = Array.from(
  { length: 60 },
  (_, i) => `- key${i}: [a, "b", {c: ${i}, d: !!str x}]\n  other: &x${i} |\n    text\n`,
);
const REQUEST = Buffer.from(LINES.join(""));

/** Sends so many requests, each when the one before was answered. */
function ask(socket: string, count: number): Promise<void> {
  const header = Buffer.alloc(4);
  header.writeUInt32LE(REQUEST.length);
  const message = Buffer.concat([header, REQUEST]);
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    let left = count;
    connection.on("error", reject);
    connection.on("data", () => {
      if (--left > 0) return void connection.write(message);
      connection.destroy();
      resolve();
    });
    connection.write(message);
  });
}

/** Ticks that a process has run for. */
function ranFor(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function measure(name: string, node: string): Promise<string> {
  await using scene = new Scene();
  await scene.serve("--collector", "trace");
  const plain = await scene.service("js_yaml", { node, isPlain: true });
  const attached = await scene.service("js_yaml", { node, isPlain: true });
  const started = await scene.service("js_yaml", { node, target: "started" });
  const services = Object.entries({ plain, attached, started });
  for (const [, { socket }] of services) await ask(socket, REQUESTS);
  const pause = ["--attach-pause", "60000"];
  const { status, stderr } = await scene.command("attach", String(attached.pid), ...pause);
  if (status !== 0) throw new Error(stderr);
  for (const [, { socket }] of services) await ask(socket, REQUESTS);
  const sums = services.map(() => 0);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [, { socket, pid }]] of services.entries()) {
      const before = ranFor(pid);
      await ask(socket, REQUESTS);
      sums[i] += ranFor(pid) - before;
    }
  }
  const cells = sums.map((ticks) => (ticks * TICK / (ROUNDS * REQUESTS)).toFixed(2).padStart(8));
  return `${name}  ${cells.join("  ")}\n`;
}

process.stdout.write("ms of processor time a request\n");
process.stdout.write(`          ${"plain"}  attached   started\n`);
for (const [name, node] of Object.entries(NODES)) process.stdout.write(await measure(name, node));
