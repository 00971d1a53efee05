/** `exactness_test.ts` for targets with probes. */
import { suite } from "uvu";
import { pairsOf, rounds } from "../rounds.ts";
import { fourLoops, learnOnce, loopOn, PLACES } from "./exact_loop.ts";
import { compile, NODES } from "./harness.ts";
import { DIRECT, FAULTS, TRACES } from "./measures.ts";

const exactness = suite("exactness of traces");

exactness.before(() => {
  compile("exactness");
});

exactness("20,000 traces that probes write are read without a mistake", async () => {
  await loopOn({ runtime: "Node 20", requests: 20_000, measure: DIRECT });
});

const MANY = rounds(1500, { long: 5000 });
exactness(`${MANY} traces that come by faults are read without a mistake`, async () => {
  await loopOn({ runtime: "Node 20", requests: MANY, measure: FAULTS });
});

const WAYS = pairsOf(Object.keys(TRACES), Object.keys(NODES), Object.keys(PLACES));

for (const [which, runtime, place] of WAYS) {
  const measure = TRACES[which];
  const requests = measure === DIRECT ? 1200 : rounds(300, { long: 1200 });
  const where = `${PLACES[place]}${runtime}`;
  exactness(`${requests} traces ${which} of ${where} are read without a mistake`, async () => {
    await loopOn({ runtime, place, measure, requests });
  });
}

for (const [which, measure] of Object.entries(TRACES)) {
  exactness(`one path's own in traces ${which} are the blocks it executes`, async () => {
    await learnOnce(measure);
  });

  exactness(`four clients of one service find their own path in traces ${which}`, async () => {
    await fourLoops(rounds(200, { long: 500 }), { measure });
  });

  exactness(`four clients of a cluster find their own path in traces ${which}`, async () => {
    await fourLoops(rounds(100, { long: 500 }), { place: "cluster", measure });
  });
}

exactness.run();
