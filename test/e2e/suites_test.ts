/** Libraries behave with probes as without, by their published test suites. */
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { eachOf } from "../rounds.ts";
import { compile, execute, NODES, Scene } from "./harness.ts";
import { DIRECT } from "./measures.ts";

const suites = suite("suites with probes");

/** The program, which is not compiled. */
const RUN = fileURLToPath(
  new URL("../../../test/fixtures/programs/run_cases.mjs", import.meta.url),
);

/** A library, its suite in a sentence, and the number of cases. */
const SUITES: [name: string, sentence: string, cases: number][] = [
  ["commonmark", "marked makes of CommonMark's examples", 652],
  ["json_schema", "ajv finds of the JSON Schema test suite", 288],
  ["test262", "acorn makes of test262's programs", 3380],
];

for (const [[runtime, node], [name, sentence, cases]] of eachOf(Object.entries(NODES), SUITES)) {
  suites(`what ${sentence} is the same with probes on ${runtime}`, async () => {
    await using scene = new Scene();
    await scene.serve(...DIRECT.options);
    scene.start([compile("poller"), scene.kcov, "100"]);
    const plain = await execute([node, RUN, name]);
    const probed = await execute([...scene.run(name), node, RUN, name]);
    assert.is(plain.stdout.split("\n").length - 1, cases);
    assert.equal(probed, plain);
    const [{ collector, hold }] = await scene.targets();
    assert.equal([collector, hold], ["trace", "unneeded"]);
  });
}

suites.run();
