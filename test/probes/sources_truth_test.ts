/** Compares the probes of random programs and awkward sources with V8's counts. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fixtureSources } from "../blocks/fixture_sources.ts";
import { randomProgram } from "../blocks/random_program.ts";
import { type GoalSource, NODES } from "../blocks/v8_answers.ts";
import { compareSources } from "./probed_sources.ts";

const test = suite("instrument against V8");

const RANDOM_PROGRAMS = 300;

/** Scripts share their declarations, so they are run as the bodies of functions, as CommonJS files are. */
function inFunction({ goal, source }: GoalSource): GoalSource {
  return { goal: goal === "module" ? goal : "commonjs", source };
}

const programs = Array.from(
  { length: RANDOM_PROGRAMS },
  (_, seed) => inFunction(randomProgram(seed + 1)),
);

for (const { v8, path } of NODES) {
  test(`the probes of random programs reach the blocks that V8 ${v8} counts`, () => {
    const { blocks, errors, named, unnamed } = compareSources(path, programs);
    assert.equal([...errors, ...unnamed], []);
    const { generator = 0, "no counter": noCounter = 0, ...others } = named;
    assert.equal(others, {});
    assert.ok(generator < 100 && noCounter < 5, JSON.stringify(named));
    assert.ok(blocks > 12_000, String(blocks));
  });

  test(`the probes of awkward sources reach the blocks that V8 ${v8} counts`, () => {
    const sources = fixtureSources(v8).map(inFunction);
    const { blocks, errors, named, unnamed } = compareSources(path, sources);
    assert.equal([...errors, ...unnamed], []);
    assert.ok(blocks > 3_000, JSON.stringify({ blocks, named }));
  });
}

test.run();
