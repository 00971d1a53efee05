/**
 * Exactness under stress. By hand, as many requests as wanted:
 *
 *     REQUESTS=1000000 node dist/test/hostile/stress_test.js "that probes write"
 *
 * With `SHARED=1` some clients read what all targets do, with `SHARED=0` none: see `stress.ts`.
 */
import { suite } from "uvu";
import { COUNTS, DIRECT, FAULTS, type Measure } from "../e2e/measures.ts";
import { rounds } from "../rounds.ts";
import { isolate } from "./isolated.ts";
import { assertExactUnderStress, compileHostile } from "./stress.ts";

isolate();

const stress = suite("exactness under stress");

stress.before(() => {
  compileHostile("stress");
});

const MEASURES: readonly (readonly [name: string, measure: Measure, requests: number])[] = [
  ["that V8 counts", COUNTS, rounds(300, { long: 600 })],
  ["that probes write", DIRECT, rounds(3000, { long: 6000 })],
  ["that come by faults", FAULTS, rounds(600, { long: 1200 })],
];

for (const [name, measure, usual] of MEASURES) {
  if (!name.includes(process.argv[2] ?? "")) continue;
  const requests = Number(process.env["REQUESTS"] ?? usual);
  const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
  stress(
    `of ${requests} reads of blocks ${name} none is stale, foreign or lacks one`,
    async () => {
      process.stdout.write(`seed ${seed}\n`);
      await assertExactUnderStress({ requests, seed, measure });
    },
  );
}

stress.run();
