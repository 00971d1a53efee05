/** Gives a service of `test/fixtures/services` its inputs, with a collection after each. */

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { inputs } = require("../fixtures/services/inputs.cjs");
const { load } = require("../fixtures/services/serve.cjs");

export async function drive(take, name) {
  const run = await load(name);
  take();
  for (const input of inputs(name)) {
    try {
      await run(input);
    } catch {
      // Some inputs are meant to make it throw.
    }
    take();
  }
}
