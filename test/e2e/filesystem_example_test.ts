/** `examples/filesystem`: system calls on a filesystem in JavaScript. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Scene } from "./harness.ts";
import { readCommands, runCommands } from "./readme.ts";

const example = suite("examples, a filesystem");

/** ms; it takes seconds. */
const PATIENCE = 90_000;

example("system calls are found that the filesystem fails on", async () => {
  await using scene = new Scene();
  const [commands] = readCommands("filesystem");
  const { status, stdout, stderr } = await runCommands(scene, commands, { timeout: PATIENCE });
  assert.match(stderr, /RangeError: Maximum call stack size exceeded\n.*put \(.*memory\.cjs/s);
  const [, calls] = stdout.match(/Program \d+ breaks the filesystem:\n(.*)/s)!;
  assert.match(calls, /setxattr [abc] user\.policy=k[abc]\n/);
  assert.match(calls, /rename [abc] [abc]\n/);
  assert.is(status, 0);
});

example.run();
