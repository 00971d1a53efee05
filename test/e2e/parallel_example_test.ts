/** `examples/parallel`: several AFL++ at a time. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Scene } from "./harness.ts";
import { readCommands, runCommands } from "./readme.ts";

const example = suite("examples, several at a time");

/** ms; it takes seconds. */
const PATIENCE = 150_000;

const [PRIVATE, SHARED] = readCommands("parallel");

async function findsTheBug(commands: string): Promise<void> {
  await using scene = new Scene();
  const { status, stdout, stderr } = await runCommands(scene, commands, { timeout: PATIENCE });
  assert.is(status, 0, stderr);
  const crash = stdout.split("\n").find((line) => /out\/worker[12]\/crashes\/id:/.test(line));
  assert.match(readFileSync(crash!, "latin1"), /^R\/P/);
  assert.not.match(stdout + stderr, /kcovfs: Cannot/);
}

example("two fuzzers with a server each find the bug", () => findsTheBug(PRIVATE));

example("two fuzzers with a target each of one server find the bug", () => findsTheBug(SHARED));

example.run();
