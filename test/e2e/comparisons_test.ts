/** KCOV_TRACE_CMP: a client passes comparisons by their operands. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, NODES, Scene } from "./harness.ts";

const comparisons = suite("comparisons");

const MOST_REQUESTS = 1000;

for (const [name, node] of Object.entries(NODES)) {
  for (const options of [[], ["--no-passthrough"]]) {
    comparisons(
      `a client solves a number and a keyword in ${name} by the comparisons of them ${options}`,
      async () => {
        await using scene = new Scene();
        await scene.serve("--collector", "trace", ...options);
        const { socket } = await scene.service("lock", { node });
        const solve = [compile("solve"), scene.kcov, socket, "12", "2"];
        const { status, stdout, stderr } = await execute(solve);
        assert.is(stderr, "");
        assert.is(status, 0);
        assert.ok(parseInt(stdout, 10) < MOST_REQUESTS, stdout);
      },
    );
  }
}

comparisons("where a target counts, none can be had", async () => {
  await using scene = new Scene();
  await scene.serve("--collector", "v8");
  const { socket } = await scene.service("lock");
  const { status, stderr } = await execute([compile("solve"), scene.kcov, socket, "12", "2"]);
  assert.is(status, 1);
  assert.match(stderr, /^KCOV_ENABLE: Unknown error 524/);
});

comparisons.run();
