import { suite } from "uvu";
import * as assert from "uvu/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fixtureSources } from "./fixture_sources.ts";
import { randomProgram } from "./random_program.ts";
import {
  checkBoundaries,
  checkDriven,
  checkSlots,
  contradictions,
  missingSlots,
  tableOf,
} from "./truth.ts";
import { type GoalSource, NODES, printSlots, reportSources } from "./v8_answers.ts";

const test = suite("blocks/block_table against V8");

const FIXTURES = fileURLToPath(new URL("../../../test/fixtures/", import.meta.url));
const LIBRARIES = join(FIXTURES, "programs/drive_libraries.mjs");

const RANDOM_PROGRAMS = 300;

/** V8 reports no function whose range is empty. */
function isReported({ source }: GoalSource): boolean {
  return source !== "";
}

const programs = Array.from({ length: RANDOM_PROGRAMS }, (_, seed) => randomProgram(seed + 1));

for (const { v8, path } of NODES) {
  const known = fixtureSources(v8);

  test(`the tables of nine libraries hold every slot and boundary of V8 ${v8}`, () => {
    const { scripts, boundaries, slots } = checkDriven(path, LIBRARIES);
    assert.equal([...boundaries.lacks, ...slots.lacks], []);
    assert.ok(scripts > 300 && boundaries.said > 19_000 && slots.said > 70_000);
  });

  test(`the tables of awkward sources hold every slot that V8 ${v8} makes`, () => {
    const { lacks, said } = checkSlots(path, known);
    assert.equal(lacks, []);
    assert.ok(said > 1_100, String(said));
  });

  test(`the tables of awkward sources hold every boundary that V8 ${v8} reports`, () => {
    const { scripts, errors } = reportSources(path, known);
    assert.equal(errors, []);
    const own = scripts.filter(({ url }) => url.startsWith("fixture:"));
    assert.is(own.length, known.filter(isReported).length);
    const { lacks, said } = checkBoundaries(scripts);
    assert.equal(lacks, []);
    assert.ok(said > 1_100, String(said));
  });

  test(`the tables of random programs hold every slot that V8 ${v8} makes`, () => {
    const { lacks, said } = checkSlots(path, programs);
    assert.equal(lacks, []);
    assert.ok(said > 10_000, String(said));
  });

  test(`the tables of random programs hold every boundary of V8 ${v8}, and say what has run`, () => {
    const { scripts, observations, errors } = reportSources(path, programs);
    assert.equal(errors, []);
    const { lacks, said } = checkBoundaries(scripts);
    assert.equal(lacks, []);
    assert.ok(said > 5_000, String(said));
    const byUrl = new Map(scripts.map((script) => [script.url, script]));
    let checked = 0;
    for (const [number, program] of programs.entries()) {
      if (!isReported(program)) continue;
      const url = `fixture:${number}`;
      for (const observation of observations.filter((observation) => observation.url === url)) {
        const verdict = contradictions(byUrl.get(url)!, observation);
        assert.equal(verdict.wrong, [], url);
        checked += verdict.checked;
      }
    }
    assert.ok(checked > 10_000, String(checked));
  });
}

test("the check names a slot that a table lacks", () => {
  const [printed] = printSlots(NODES[0].path, [{ goal: "script", source: "if (a) { b } c" }]);
  const table = tableOf("if (a) { b }  c");
  assert.equal(missingSlots(table, printed!), []);
  const other = tableOf("if (a) {  b } c");
  assert.equal(missingSlots(other, printed!).length, 2);
  assert.equal(missingSlots(tableOf("a; b; c"), printed!).length, 2);
});

test.run();
