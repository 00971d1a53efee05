/**
 * The closed loop that a fuzzer is: reset, ask, read. Every single read is checked by the client, which
 * knows what each of 64 paths executes and what no other does.
 */
import { join } from "node:path";
import { suite } from "uvu";
import { assertExact, assertLearned, loopOn } from "./exact_loop.ts";
import { compile, NODES, Scene } from "./harness.ts";

const exactness = suite("exactness");

exactness.before(() => {
  compile("exactness");
});

exactness("20,000 requests to Node 20 are read without a mistake", async () => {
  await loopOn(NODES["Node 20"], { requests: 20_000, isBusy: false });
});

exactness(
  "4,000 requests to Node 20 are read without a mistake while both cores are busy",
  async () => {
    await loopOn(NODES["Node 20"], { requests: 4000, isBusy: true });
  },
);

for (const name of ["Node 24", "Node 26"]) {
  exactness(
    `3,000 requests to ${name} are read without a mistake, 1,000 of them busy`,
    async () => {
      await loopOn(NODES[name], { requests: 2000, isBusy: false });
      await loopOn(NODES[name], { requests: 1000, isBusy: true });
    },
  );
}

for (const [name, node] of Object.entries(NODES)) {
  exactness(`1,500 requests to a worker thread of ${name} are read without a mistake`, async () => {
    await loopOn(node, { requests: 1200, isBusy: false, place: "worker" });
    await loopOn(node, { requests: 300, isBusy: true, place: "worker" });
  });
}

const PLACES: [place: string, sentence: string][] = [
  ["relay", "a worker thread that answers for the main thread"],
  ["child", "a child process"],
  ["cluster", "a cluster"],
];

for (const [place, sentence] of PLACES) {
  exactness(`1,000 requests to ${sentence} are read without a mistake`, async () => {
    await loopOn(process.execPath, { requests: 800, isBusy: false, place });
    await loopOn(process.execPath, { requests: 200, isBusy: true, place });
  });
}

exactness("what belongs to one path alone are the blocks it executes, and no others", async () => {
  await using scene = new Scene();
  await scene.serve();
  const { socket } = await scene.service("paths");
  const learned = join(scene.folder, "learned");
  await assertExact({ kcov: scene.kcov, socket, requests: 100, learned });
  await assertLearned(scene, learned);
});

exactness("four clients of one service at once each find all of their own path", async () => {
  await using scene = new Scene();
  await scene.serve();
  const { socket } = await scene.service("paths");
  const files = [1, 2, 3, 4].map((client) => join(scene.folder, `learned-${client}`));
  await Promise.all(
    files.map((learned) =>
      assertExact({ kcov: scene.kcov, socket, requests: 1000, isShared: true, learned })
    ),
  );
  for (const file of files) await assertLearned(scene, file);
});

exactness("four clients of a cluster at once each find all of their own path", async () => {
  await using scene = new Scene();
  await scene.serve();
  const { socket } = await scene.service("paths", { place: "cluster" });
  const files = [1, 2, 3, 4].map((client) => join(scene.folder, `learned-${client}`));
  await Promise.all(
    files.map((learned) =>
      assertExact({ kcov: scene.kcov, socket, requests: 300, isShared: true, learned })
    ),
  );
  for (const file of files) await assertLearned(scene, file);
});

exactness.run();
