import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { linePositions } from "../../src/blocks/line_positions.ts";
import { TableBuilder, type TableSource } from "../../src/scripts/table_builder.ts";

const builder = suite("scripts/table_builder");

const MODULE = new URL("../../src/scripts/table_builder.js", import.meta.url).href;
const SOURCE = "function f(a) { return a ? 1 : 2; }\nf(1);\n";

const script = (source: string): TableSource => ({ url: "file:///a.js", source });

async function rejection(work: Promise<unknown>): Promise<Error> {
  return await work.then(() => assert.unreachable("it was fulfilled"), (error) => error) as Error;
}

builder("the thread makes the table that is made here, and the positions", async () => {
  await using subject = new TableBuilder();
  const table = buildBlockTable(SOURCE);
  const built = await subject.build(script(SOURCE));
  assert.equal(built, {
    ...{ table, positions: linePositions(SOURCE, table) },
    ...{ files: [], fileOf: new Uint32Array(table.blockStart.length), originals: [] },
  });
  assert.equal([...built.positions.subarray(0, 4)], [1, 1, 3, 1]);
});

builder("tables that are asked for at once each come to who asked", async () => {
  await using subject = new TableBuilder();
  const sources = Array.from(
    { length: 50 },
    (_, i) => `${SOURCE.repeat(i % 7)}// ${"x".repeat(i)}`,
  );
  const built = await Promise.all(
    sources.map((source) => subject.build(script(source))),
  );
  assert.equal(built.map(({ table }) => table.length), sources.map((source) => source.length));
});

builder("a source that cannot be parsed is a SyntaxError, and the next one is built", async () => {
  await using subject = new TableBuilder();
  const error = await rejection(subject.build(script("function (")));
  assert.instance(error, SyntaxError);
  assert.ok(error.message.length > 0);
  assert.is((await subject.build(script(SOURCE))).table.length, SOURCE.length);
});

builder("modules and scripts are both built", async () => {
  await using subject = new TableBuilder();
  for (const source of ["export const a = await b;", "with (a) b();", "return 1;"]) {
    assert.is((await subject.build(script(source))).table.length, source.length);
  }
});

builder("a deeply nested source is built, too", async () => {
  await using subject = new TableBuilder();
  const depth = 5000;
  const source = `x = ${"[".repeat(depth)}a ? b : c${"]".repeat(depth)};`;
  const { table } = await subject.build(script(source));
  assert.ok(table.blockStart.includes(source.indexOf("?")));
});

builder("one nested deeper than the thread's stack is refused, and the next is built", async () => {
  await using subject = new TableBuilder();
  const depth = 200_000;
  const error = await rejection(subject.build(script(`${"[".repeat(depth)}${"]".repeat(depth)}`)));
  assert.instance(error, SyntaxError);
  assert.match(error.message, /nested too deeply$/);
  assert.is((await subject.build(script(SOURCE))).table.length, SOURCE.length);
});

builder("one too large for the thread's memory is refused, and no other is", () => {
  const program = `import { TableBuilder } from ${JSON.stringify(MODULE)};
  const subject = new TableBuilder();
  const huge = "f(a ? 1 : 2, () => { if (a) b; });".repeat(60_000);
  const works = ["f();", huge, "g(1);", "h(1, 2);"].map((source) => subject.build({ url: "a", source }));
  const outcomes = await Promise.allSettled(works);
  const last = await subject.build({ url: "a", source: "i(1, 2, 3);" });
  console.log(...outcomes.map(({ value, reason }) => value?.table.length ?? reason.code));
  console.log(last.table.length);`;
  const child = spawnSync(process.execPath, [
    "--max-old-space-size=32",
    "--input-type=module",
    "-e",
    program,
  ], { encoding: "utf8" });
  assert.equal(
    [child.status, child.stdout],
    [0, "4 ERR_WORKER_OUT_OF_MEMORY 5 8\n11\n"],
    child.stderr,
  );
});

const MAP_COMMENT = "//# sourceMappingURL=data:,";
const mapOf = (map: object) =>
  MAP_COMMENT + encodeURIComponent(JSON.stringify({ version: 3, ...map }));

builder("the thread follows source maps, and says why it could not", async () => {
  await using subject = new TableBuilder();
  const map = { sources: ["a.ts"], sourcesContent: ["\nf();"], mappings: "AACA" };
  const built = await subject.build({ url: "file:///a.js", source: `f();\n${mapOf(map)}` });
  assert.equal([built.files, [...built.fileOf], [...built.positions]], [
    ["file:///a.ts"],
    [1],
    [1, 1, 2, 5],
  ]);
  const broken = await subject.build(script(`f();\n${MAP_COMMENT}x`));
  assert.equal([broken.broken, [...broken.fileOf]], ["it is no JSON", [0]]);
  const given = await subject.build({
    ...script("f();"),
    mapUrl: `data:,${JSON.stringify({ version: 3, ...map })}`,
  });
  assert.equal([...given.fileOf], [1]);
});

builder("a map too large for the thread's memory costs the script nothing but its map", () => {
  const program = `import { TableBuilder } from ${JSON.stringify(MODULE)};
  const subject = new TableBuilder();
  const map = { version: 3, sources: ["a.ts"], mappings: "AAAA,".repeat(1_000_000) + "AAAA" };
  const mapUrl = "data:," + JSON.stringify(map);
  const works = ["f();", "g(1);", "h(1, 2);"].map((source, i) =>
    subject.build({ url: "a", source, ...(i === 1 && { mapUrl }) }));
  for (const { table, broken } of await Promise.all(works)) console.log(table.length, broken);`;
  const child = spawnSync(process.execPath, [
    ...["--max-old-space-size=32", "--input-type=module", "-e", program],
  ], { encoding: "utf8" });
  const expected = "4 undefined\n5 it is too large for the memory there is\n8 undefined\n";
  assert.equal([child.status, child.stdout], [0, expected], child.stderr);
});

builder("nothing is built after the end, and who waits is told of it", async () => {
  const subject = new TableBuilder();
  const waiting = rejection(subject.build(script(SOURCE.repeat(20_000))));
  await subject[Symbol.asyncDispose]();
  assert.match((await waiting).message, /^Cannot build a block table: /);
  const late = await rejection(subject.build(script(SOURCE)));
  assert.match(late.message, /^Cannot build a block table: /);
});

builder("one that was never used ends at once", async () => {
  await new TableBuilder()[Symbol.asyncDispose]();
});

builder("the thread keeps the process for as long as a table is asked for, and no longer", () => {
  const program = `import { TableBuilder } from ${JSON.stringify(MODULE)};
  const { table } = await new TableBuilder().build({ url: "a", source: "f();" });
  console.log(table.length);`;
  const child = spawnSync(process.execPath, [
    "--input-type=module",
    "-e",
    program,
  ], { timeout: 10_000, encoding: "utf8" });
  assert.equal([child.status, child.stdout], [0, "4\n"], child.stderr);
});

builder.run();
