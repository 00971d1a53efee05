/**
 * A fuzzer's closed loop: reset, ask, read. The client checks every single read: it knows which blocks each of
 * 64 paths executes, and no other path. See also `exactness_busy_test.ts`.
 */
import { suite } from "uvu";
import { rounds } from "../rounds.ts";
import { fourLoops, learnOnce, loopOn, PLACES } from "./exact_loop.ts";
import { compile, NODES } from "./harness.ts";
import { COUNTS } from "./measures.ts";

const exactness = suite("exactness");

exactness.before(() => {
  compile("exactness");
});

function loop(runtime: string, place: string, requests: number): void {
  const sentence = `${requests} requests to ${PLACES[place]}${runtime} are read without a mistake`;
  exactness(sentence, () => loopOn({ runtime, place, requests }));
}

loop("Node 20", "main", rounds(3000, { long: 20_000 }));
for (const runtime of ["Node 24", "Node 26"]) loop(runtime, "main", rounds(500, { long: 2000 }));
for (const runtime of Object.keys(NODES)) loop(runtime, "worker", rounds(300, { long: 1200 }));
for (const place of ["relay", "child", "cluster"]) {
  loop("Node 20", place, rounds(250, { long: 800 }));
}

exactness("what belongs to one path alone are the blocks it executes, and no others", async () => {
  await learnOnce(COUNTS);
});

exactness("four clients of one service at once each find all of their own path", async () => {
  await fourLoops(rounds(100, { long: 1000 }));
});

exactness("four clients of a cluster at once each find all of their own path", async () => {
  await fourLoops(rounds(50, { long: 300 }), { place: "cluster" });
});

exactness.run();
