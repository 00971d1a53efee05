/** `exactness_test.ts` for targets with probes. */
import { join } from "node:path";
import { suite } from "uvu";
import { assertExact, assertLearned, loopOn } from "./exact_loop.ts";
import { compile, NODES, Scene } from "./harness.ts";
import { DIRECT, FAULTS, TRACES } from "./measures.ts";

const exactness = suite("exactness of traces");

exactness.before(() => {
  compile("exactness");
});

exactness("30,000 traces that probes write are read without a mistake, 10,000 busy", async () => {
  await loopOn(process.execPath, { requests: 20_000, isBusy: false, measure: DIRECT });
  await loopOn(process.execPath, { requests: 10_000, isBusy: true, measure: DIRECT });
});

exactness("5,500 traces that come by faults are read without a mistake, 500 busy", async () => {
  await loopOn(process.execPath, { requests: 5000, isBusy: false, measure: FAULTS });
  await loopOn(process.execPath, { requests: 500, isBusy: true, measure: FAULTS });
});

for (const [which, measure] of Object.entries(TRACES)) {
  for (const [name, node] of Object.entries(NODES)) {
    for (const place of [undefined, "worker"]) {
      const where = place ? `a worker thread of ${name}` : name;
      exactness(`1,500 traces ${which} of ${where} are read without a mistake`, async () => {
        await loopOn(node, { requests: 1200, isBusy: false, measure, ...(place && { place }) });
        await loopOn(node, { requests: 300, isBusy: true, measure, ...(place && { place }) });
      });
    }
  }

  for (const place of ["relay", "child", "cluster"]) {
    exactness(`1,000 traces ${which} of a ${place} are read without a mistake`, async () => {
      await loopOn(process.execPath, { requests: 800, isBusy: false, place, measure });
      await loopOn(process.execPath, { requests: 200, isBusy: true, place, measure });
    });
  }

  exactness(`one path's own in traces ${which} are the blocks it executes`, async () => {
    await using scene = new Scene();
    await scene.serve(...measure.options);
    const { socket } = await scene.service("paths");
    const learned = join(scene.folder, "learned");
    await assertExact({ kcov: scene.kcov, socket, requests: 100, learned, measure });
    await assertLearned(scene, learned);
  });

  for (const place of [undefined, "cluster"]) {
    const where = place ? "a cluster" : "one service";
    exactness(`four clients of ${where} find their own path in traces ${which}`, async () => {
      await using scene = new Scene();
      await scene.serve(...measure.options);
      const { socket } = await scene.service("paths", place ? { place } : {});
      const files = [1, 2, 3, 4].map((client) => join(scene.folder, `learned-${client}`));
      const loop = { kcov: scene.kcov, socket, requests: 500, isShared: true, measure };
      await Promise.all(files.map((learned) => assertExact({ ...loop, learned })));
      for (const file of files) await assertLearned(scene, file);
    });
  }
}

exactness.run();
