/** For each input, probes report the blocks that V8 counts: nine libraries with a hundred inputs each. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rounds, some } from "../rounds.ts";
import { compile, finish, NODES, Scene } from "./harness.ts";
import {
  assertExplained,
  type Exception,
  runInputs,
  type Unstable,
  writeInputs,
} from "./input_sets.ts";
import { COUNTS, DIRECT, PATIENT } from "./measures.ts";

const agreement = suite("agreement");

const ROUNDS = rounds(1, { long: 2 });
const LIBRARIES = [
  ...["js_yaml", "marked", "acorn", "ajv", "lodash"],
  ...["express", "zod", "prettier", "babel_parser"],
];

const EXCEPTIONS: Record<string, Exception[]> = {
  lodash: [
    {
      file: "/node_modules/lodash/lodash.js",
      start: "function shortOut(",
      cause: "it counts the calls that are less than 16 ms apart, by the clock",
    },
    { file: "template", cause: "what `Function` makes has no probes" },
  ],
  zod: [{
    file: "/node_modules/zod/v4/core/schemas.cjs",
    start: "exports.$ZodArray = ",
    cause: "V8 counts what follows a `for (let ...;;)` with closures by its rounds",
  }],
};

/** Code that a program makes of texts has no URL, and so no PCs where V8 counts. */
function withoutMade(unstable: Unstable): Unstable {
  return new Map(
    [...unstable].map(([input, blocks]) => [
      input,
      blocks.filter((block) => !/\.made-[0-9a-f]+\.js:/.test(block)),
    ]),
  );
}

async function checkLibrary(node: string, name: string): Promise<void> {
  await using scene = new Scene();
  await writeInputs(scene, name);
  for (const measure of [COUNTS, DIRECT]) {
    const server = await scene.serve(...PATIENT, ...measure.options);
    const [differing, summary] = await runInputs(scene, name, { rounds: ROUNDS, node, measure });
    process.stdout.write(`${name} ${measure.options}: ${summary}\n`);
    assertExplained(withoutMade(differing), EXCEPTIONS[name]);
    server.kill("SIGTERM");
    assert.is((await finish(server)).status, 0);
  }
}

agreement.before(() => {
  compile("stability");
});

const RUNS = {
  "Node 20": some(["acorn", ...LIBRARIES], { usual: 1 }),
  "Node 24": LIBRARIES,
  "Node 26": some(["zod", ...LIBRARIES], { usual: 1 }),
};

for (const [runtime, libraries] of Object.entries(RUNS)) {
  const node = NODES[runtime];
  for (const name of new Set(libraries)) {
    if (!`${name} ${runtime}`.includes(process.argv[2] ?? "")) continue;
    agreement(`the inputs of ${name} execute the blocks that V8 counts on ${runtime}`, async () => {
      await checkLibrary(node, name);
    });
  }
}

agreement.run();
