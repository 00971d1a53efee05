/** `KCOV_TRACE_PC | KCOV_FOLD` with a client in C and a service: long loops hide nothing. */
import { spawn } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eachOf } from "../rounds.ts";
import { compile, execute, NODES, Scene } from "./harness.ts";
import { COUNTS, type Measure, PATIENT, TRACES } from "./measures.ts";

const folded = suite("folded areas");

const ROUNDS = 1_000_000;
const BUSY = "for (;;);";
/** As many as there are processors, or more. */
const BUSY_PROCESSES = 3;

folded.before(() => void compile("folded"));

async function check(measure: Measure, { node, requests }: { node: string; requests: number }) {
  await using scene = new Scene();
  await scene.serve(...PATIENT, ...measure.options);
  const { socket } = await scene.service("loops", { node });
  const command = [compile("folded"), scene.kcov, socket, String(requests), String(ROUNDS)];
  const { status, stdout, stderr } = await execute(command, { timeout: 300_000 });
  assert.is(stderr, "");
  assert.match(stdout, new RegExp(`^requests ${requests} edges \\d+ words free\\n$`));
  assert.is(status, 0);
}

for (
  const [[which, measure], [name, node]] of eachOf(Object.entries(TRACES), Object.entries(NODES))
) {
  folded(`a loop of a million hides no branch of ${name}'s in areas ${which}`, async () => {
    await check(measure, { node, requests: 12 });
  });
}

for (const [which, measure] of Object.entries(TRACES)) {
  folded(`nor where processors are wanted, in areas ${which}`, async () => {
    const children = Array.from(
      { length: BUSY_PROCESSES },
      () => spawn(process.execPath, ["-e", BUSY], { stdio: "ignore" }),
    );
    try {
      await check(measure, { node: process.execPath, requests: 12 });
    } finally {
      for (const child of children) child.kill("SIGKILL");
    }
  });
}

folded("where V8 counts, the mode is taken, and each block is told once", async () => {
  await using scene = new Scene();
  await scene.serve(...PATIENT, ...COUNTS.options);
  const { socket } = await scene.service("loops");
  const { status, stdout, stderr } = await execute([
    compile("folded"),
    scene.kcov,
    socket,
    "counted",
  ]);
  assert.equal([status, stderr], [0, ""]);
  assert.match(stdout, /^blocks \d+\n$/);
  assert.ok(Number(stdout.split(" ")[1]) > 3);
});

folded.run();
