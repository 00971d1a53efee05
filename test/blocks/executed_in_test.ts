import { Session } from "node:inspector/promises";
import * as vm from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable, executedIn, linePositions } from "../../src/blocks/mod.ts";

const executed = suite("blocks/executed_in");

const SOURCE = `function sign(x) {
  if (x < 0) {
    return "minus";
  }
  return x > 0 ? "plus" : "zero";
}
sign(-1);
`;

executed("the blocks that V8 reports as executed are told, by the table", async () => {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  vm.runInThisContext(SOURCE, { filename: "sign.js" });
  const { result } = await session.post("Profiler.takePreciseCoverage");
  session.disconnect();
  const script = result.find(({ url }) => url === "sign.js")!;
  const table = buildBlockTable(SOURCE);
  const positions = linePositions(SOURCE, table);
  const blocks = executedIn(table, script);
  assert.equal(blocks.map((block) => positions[4 * block]), [1, 1, 2]);
  const rest = [...table.blockStart.keys()].filter((block) => !blocks.includes(block));
  assert.equal(rest.map((block) => positions[4 * block]), [4, 5, 5]);
  assert.equal(executedIn(buildBlockTable("a => a"), script), []);
});

executed.run();
