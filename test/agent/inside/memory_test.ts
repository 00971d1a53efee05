import { createRequire } from "node:module";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as control from "../../../src/messages/shared_words.ts";

const memory = suite("agent/inside/memory");

const ofTargets = createRequire(import.meta.url)("../../../src/agent/inside/memory.cjs");

memory("targets know the memory that they share as the agent's worker does", () => {
  const names = ["CONTROL", "CONTROL_SIZE", "AREA", "AREAS_SIZE", "READY", "ABSENT"] as const;
  for (const name of names) assert.equal(ofTargets[name], control[name], name);
  for (const name of ["AREA_COMPARISONS"] as const) {
    assert.is(ofTargets[name], control[name]);
  }
});

memory("no two things are at one place", () => {
  const { gates, text, areas, ...words } = control.CONTROL;
  const places = Object.values(words);
  assert.is(new Set(places).size, places.length);
  assert.ok(Math.max(...places) < gates);
  assert.ok(gates + 2 * control.GATES <= text && text < areas);
});

memory.run();
