/**
 * Traces are the executed blocks, in the order in which they ran, each time that they ran, and nothing else.
 */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eachOf } from "../rounds.ts";
import { compile, execute, NODES, Scene } from "./harness.ts";
import { type Measure, PATIENT, TRACES } from "./measures.ts";

const order = suite("order of traces");

/** The program, which is not compiled. */
const SPIN = fileURLToPath(new URL("../../../test/fixtures/programs/spin.cjs", import.meta.url));

/** The most that a window shows: see `src/agent/inside/probes.cts`. */
const WINDOW_WORDS = 1 << 20;
const SIZES: [words: number, steps: number, sentence: string][] = [
  [WINDOW_WORDS, 500_000, "a million blocks in an area of 8 MiB"],
  [WINDOW_WORDS + 513, 530_000, "more than a million blocks in an area that is larger"],
  [65_536, 100_000, "the first blocks in an area that is too small"],
];

order.before(() => {
  for (const client of ["sequence", "spinner"]) compile(client);
});

async function checkSequence(
  node: string,
  { measure, sizes }: { measure: Measure; sizes: readonly (readonly [number, number])[] },
): Promise<void> {
  await using scene = new Scene();
  await scene.serve(...PATIENT, ...measure.options);
  const { socket } = await scene.service("sequence", { node });
  for (const size of sizes) {
    const { status, stdout, stderr } = await execute(
      [compile("sequence"), scene.kcov, socket, ...size.map(String)],
      { timeout: 300_000 },
    );
    process.stdout.write(stdout);
    assert.is(stderr, "");
    assert.match(stdout, /^requests 8 words \d+\n$/);
    assert.is(status, 0);
  }
}

const MEASURES = Object.entries(TRACES);
const RUNTIMES = Object.entries(NODES);

for (const [which, measure] of MEASURES) {
  for (const [words, steps, sentence] of SIZES) {
    order(`${sentence} are in order in traces ${which}`, async () => {
      await checkSequence(process.execPath, { measure, sizes: [[words, steps]] });
    });
  }
}

for (const [[which, measure], [name, node]] of eachOf(MEASURES, RUNTIMES)) {
  order(`the blocks of ${name} are in order in traces ${which}`, async () => {
    const sizes = [[WINDOW_WORDS, 50_000], [WINDOW_WORDS + 513, 540_000]] as const;
    await checkSequence(node, { measure, sizes });
  });
}

for (const [which, measure] of MEASURES) {
  for (const [name, node] of RUNTIMES) {
    order(
      `a loop that ${name} has optimised is told of what begins and ends, ${which}`,
      async () => {
        await using scene = new Scene();
        await scene.serve(...measure.options);
        const target = scene.start([...scene.run("spin"), node, SPIN]);
        await once(target.stdout!, "data");
        const { status, stdout, stderr } = await execute([compile("spinner"), scene.kcov, "100"]);
        assert.is(stderr, "");
        assert.is(status, 0);
        assert.is(stdout, "rounds 100 blocks 5\n");
        assert.is(target.exitCode, null);
      },
    );
  }
}

order.run();
