/** The awkward sources of test/fixtures/sources. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Goal, GoalSource } from "./v8_answers.ts";

const SOURCES = fileURLToPath(new URL("../../../test/fixtures/sources", import.meta.url));

/** Sources in a syntax that V8 11.3 does not know. */
const NEW_SYNTAX = ["using.cjs", "using.mjs"];

const GOALS: [suffix: string, goal: Goal][] = [
  [".cjs", "commonjs"],
  [".mjs", "module"],
  [".script.js", "script"],
  [".function.js", "function"],
];

/** A source of test/fixtures/sources. */
export interface FixtureSource extends GoalSource {
  readonly name: string;
}

/** The sources whose syntax a V8 knows. */
export function fixtureSources(v8: string): FixtureSource[] {
  return readSources().filter(({ name }) => v8 !== "11.3" || !NEW_SYNTAX.includes(name));
}

function readSources(): FixtureSource[] {
  return readdirSync(SOURCES).flatMap((name) => {
    const goal = GOALS.find(([suffix]) => name.endsWith(suffix))?.[1];
    return goal ? [{ name, goal, source: readFileSync(join(SOURCES, name), "utf8") }] : [];
  });
}
