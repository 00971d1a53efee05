/**
 * SIGKILL and SIGSTOP of each process at random moments. By hand, as many rounds as wanted:
 *
 *     ROUNDS=200 SEED=1 node dist/test/hostile/faults_test.js "V8 counts"
 *
 * and with FAULT="server killed;client stopped", those of some kinds.
 */
import { suite } from "uvu";
import { COUNTS, DIRECT, FAULTS as BY_FAULTS, type Measure } from "../e2e/measures.ts";
import { FAULTS, runFaults } from "./faults.ts";
import { isolate } from "./isolated.ts";
import { compileHostile } from "./stress.ts";

isolate();

const faults = suite("faults");

faults.before(() => {
  compileHostile("faulted");
});

const MEASURES: readonly (readonly [name: string, measure: Measure])[] = [
  ["that V8 counts", COUNTS],
  ["that probes write", DIRECT],
  ["that come by faults", BY_FAULTS],
];

for (const [name, measure] of MEASURES) {
  if (!name.includes(process.argv[2] ?? "")) continue;
  const rounds = Number(process.env["ROUNDS"] ?? FAULTS.length - 1);
  const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
  const sentence =
    `${rounds} times a process of a loop on blocks ${name} is killed or stopped, and nothing hangs`;
  faults(sentence, async () => {
    process.stdout.write(`seed ${seed}\n`);
    await runFaults({ rounds, seed, measure, only: process.env["FAULT"] });
  });
}

faults.run();
