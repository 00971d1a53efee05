import { createRequire } from "node:module";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Memory } from "../../src/messages/memory.cts";
import * as words from "../../src/messages/shared_words.ts";

const memory = suite("messages/memory");

const ofTargets = createRequire(import.meta.url)("../../src/messages/memory.cjs") as Memory;

memory("a target reads the text that the agent's worker wrote, cut where it ends", () => {
  const control = new Int32Array(words.CONTROL_SIZE / 4);
  words.writeText(control, "größe");
  assert.is(ofTargets.textIn(control), "größe");
  words.writeText(control, "x".repeat(10_000));
  const { text, areas } = words.CONTROL;
  assert.is(ofTargets.textIn(control), "x".repeat(4 * (areas - text)));
  assert.equal([...control.subarray(areas)], Array(2 * words.AREAS_SIZE).fill(0));
});

memory("no two things are at one place", () => {
  const { gates, text, areas, ...places } = words.CONTROL;
  const numbers = Object.values(places);
  assert.is(new Set(numbers).size, numbers.length);
  assert.ok(Math.max(...numbers) < gates);
  assert.ok(gates + 2 * words.GATES <= text && text < areas);
});

memory.run();
