/** The loop of `exactness_test.ts` while both cores are busy; so this runs alone. */
import { suite } from "uvu";
import { pairsOf, rounds } from "../rounds.ts";
import { loopOn, PLACES } from "./exact_loop.ts";
import { compile, NODES } from "./harness.ts";
import { COUNTS, DIRECT, FAULTS, type Measure } from "./measures.ts";

const exactness = suite("exactness, busy");

exactness.before(() => {
  compile("exactness");
});

/** The measures, and the number of requests for each. */
const MEASURES: Readonly<Record<string, readonly [measure: Measure, requests: number]>> = {
  "requests to": [COUNTS, rounds(100, { long: 1000 })],
  "traces that probes write of": [DIRECT, rounds(1000, { long: 10_000 })],
  "traces that come by faults of": [FAULTS, rounds(100, { long: 500 })],
};
const WAYS = pairsOf(Object.keys(MEASURES), Object.keys(PLACES), Object.keys(NODES));

for (const [what, place, runtime] of WAYS) {
  const [measure, requests] = MEASURES[what];
  const which = `${requests} ${what} ${PLACES[place]}${runtime}`;
  exactness(`${which} are read without a mistake while both cores are busy`, async () => {
    await loopOn({ runtime, place, measure, requests, isBusy: true });
  });
}

exactness.run();
