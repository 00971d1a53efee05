/** `examples/libfuzzer`: libFuzzer and a library in JavaScript. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Scene } from "./harness.ts";
import { readCommands, runCommands } from "./readme.ts";

const example = suite("examples, libFuzzer");

/** ms; it takes seconds. */
const PATIENCE = 90_000;
/** The status of a libFuzzer that found a crash. */
const CRASHED = 77;

example("libFuzzer finds the image that the decoder fails on", async () => {
  await using scene = new Scene();
  const [commands] = readCommands("libfuzzer");
  const { status, stderr } = await runCommands(scene, commands, { timeout: PATIENCE });
  assert.match(stderr, /RangeError: offset is out of bounds\n.*decode\.mjs/s);
  assert.match(stderr, /libFuzzer: deadly signal/);
  assert.is(status, CRASHED);
  const [crash] = readdirSync(scene.folder).filter((name) => name.startsWith("crash-"));
  assert.equal([...readFileSync(join(scene.folder, crash)).subarray(0, 3)], [0x54, 0x49, 2]);
});

example.run();
