/**
 * Compares block tables with V8's reports on real services: every range boundary of all scripts that
 * are loaded while a library is given its hundred inputs, with a collection after each.
 */
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkDriven } from "../blocks/truth.ts";
import { NODES } from "../blocks/v8_answers.ts";

const truth = suite("the blocks of services against V8");

/** The program, which is not compiled. */
const DRIVER = fileURLToPath(new URL("../../../test/e2e/drive_service.mjs", import.meta.url));

const LIBRARIES = ["js_yaml", "marked", "acorn", "ajv", "lodash", "express", "zod", "prettier"];

/** Fewer would mean that the services no longer do what they did. */
const FEWEST_BOUNDARIES = 500;

for (const name of LIBRARIES) {
  truth(`the tables of ${name} hold every boundary that is reported of a hundred inputs`, () => {
    for (const { v8, path } of NODES) {
      const { scripts, boundaries, slots } = checkDriven(path, DRIVER, [name]);
      process.stdout.write(
        `${name}, V8 ${v8}: ${scripts} scripts, ${boundaries.said} boundaries, ${slots.said} slots\n`,
      );
      assert.equal([...boundaries.lacks, ...slots.lacks], []);
      assert.ok(boundaries.said > FEWEST_BOUNDARIES, String(boundaries.said));
    }
  });
}

truth.run();
