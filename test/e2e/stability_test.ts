/**
 * The blocks that an input executes are a pure function of the code that ran: the same each time, and the same
 * after a restart. Exceptions are named here, with their causes.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rounds } from "../rounds.ts";
import { compile, finish, Scene } from "./harness.ts";
import { PATIENT } from "./measures.ts";
import { assertExplained, type Exception, runInputs, writeInputs } from "./input_sets.ts";

const stability = suite("stability");

const ROUNDS = rounds(5, { long: 50 });
const ROUNDS_AFTER_RESTART = rounds(1, { long: 5 });

/** Pairs that run at the same time: each keeps about one core busy. */
const PAIRS = [
  ["prettier", "js_yaml"],
  ["ajv", "marked"],
  ["express", "acorn"],
  ["zod", "lodash"],
];

const EXCEPTIONS: Record<string, Exception[]> = {
  lodash: [{
    inputs: [8, 9, 30, 34, 39, 48, 65, 85, 88],
    file: "/node_modules/lodash/lodash.js",
    start: "function shortOut(",
    cause: "it counts the calls that are less than 16 ms apart, by the clock",
  }],
};

async function checkLibrary(name: string): Promise<void> {
  await using scene = new Scene();
  await writeInputs(scene, name);
  const server = await scene.serve(...PATIENT);
  const [unstable, summary] = await runInputs(scene, name, { rounds: ROUNDS });
  server.kill("SIGTERM");
  assert.is((await finish(server)).status, 0);
  await scene.serve(...PATIENT);
  const [changed, summaryAfter] = await runInputs(scene, name, { rounds: ROUNDS_AFTER_RESTART });
  process.stdout.write(`\n${name}: ${summary}; after a restart: ${summaryAfter}\n`);
  for (const found of [unstable, changed]) {
    for (const [input, blocks] of found) {
      process.stdout.write(`  input ${input}: ${blocks.join(" ")}\n`);
    }
    assertExplained(found, EXCEPTIONS[name]);
  }
}

stability.before(() => {
  compile("stability");
});

for (const pair of PAIRS) {
  stability(`the inputs of ${pair.join(" and ")} execute the same blocks each time`, async () => {
    const outcomes = await Promise.allSettled(pair.map(checkLibrary));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  });
}

stability.run();
