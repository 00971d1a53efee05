/** `examples/plain_loop`: the same fuzzer in C, Python and Go. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Scene } from "./harness.ts";
import { readCommands, runCommands } from "./readme.ts";

const example = suite("examples, the plain loop");

/** ms; it takes seconds. */
const PATIENCE = 60_000;

const LANGUAGES = ["C", "Python", "Go"];

example("there is one for each language", () => {
  assert.is(readCommands("plain_loop").length, LANGUAGES.length);
});

for (const [i, language] of LANGUAGES.entries()) {
  example(`in ${language} it finds the message that the service fails on`, async () => {
    await using scene = new Scene();
    const { status, stdout, stderr } = await runCommands(scene, readCommands("plain_loop")[i], {
      timeout: PATIENCE,
    });
    assert.match(stderr, /RangeError: Cannot drop -\d+ rows/);
    // Coverage leads to it: without, it is one message in 16 million.
    const [, messages] = stdout.match(/^It fails on message (\d+): 44 42 02 0[0-2] /)!;
    assert.ok(Number(messages) < 200_000, messages);
    assert.is(status, 0);
  });
}

example.run();
