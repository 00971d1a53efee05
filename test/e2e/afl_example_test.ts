/** `examples/afl`: AFL++ and a service over HTTP. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Scene } from "./harness.ts";
import { readCommands, runCommands } from "./readme.ts";

const example = suite("examples, AFL++");

/** ms; it takes seconds. */
const PATIENCE = 150_000;

example("AFL++ finds the request that the service fails on", async () => {
  await using scene = new Scene();
  const [fuzz, replay] = readCommands("afl");
  const found = await runCommands(scene, fuzz, { timeout: PATIENCE });
  assert.is(found.status, 0, found.stdout + found.stderr);
  const { stdout } = await runCommands(scene, replay, { timeout: PATIENCE });
  assert.match(stdout, /^HTTP\/1\.1 500 .*RangeError: Invalid array length/s);
});

example.run();
