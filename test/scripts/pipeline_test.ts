import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { pcOfBlock } from "../../src/symbols/pc_space.ts";
import { scriptHash } from "../../src/symbols/script_hash.ts";
import {
  type NewSymbols,
  type SymbolSegment,
  SymbolTable,
} from "../../src/symbols/symbol_table.ts";
import { symbolFile } from "../../src/symbols/symbol_file.ts";
import { withMap } from "../../src/scripts/pipeline.ts";
import { PipelineWorld } from "./pipeline_world.ts";

const pipeline = suite("scripts/pipeline");

const FILE = "file:///a.js";
/** Four blocks: the top level, `f`, and both branches. */
const SOURCE = "function f(a) { return a ? 1 : 2; }\nf(1);\n";

function scenario(sentence: string, run: (world: PipelineWorld) => unknown): void {
  pipeline(sentence, async () => {
    await using world = new PipelineWorld();
    await run(world);
  });
}

/** The PCs that a script with probes reports when it runs, by their lower halves. */
function run(code: string): number[] {
  const hits: number[] = [];
  const note = (pc: number, value?: unknown) => {
    hits.push(pc >>> 0);
    return value;
  };
  const others = { __kcov_const: note2, __kcov_cmp: note2 };
  runInNewContext(code, { __kcov: note, __kcov_pass: note, __kcov_some: note, ...others });
  return hits;
}

const note2 = (_: number, __: unknown, value: unknown) => value;

async function rejection(work: Promise<unknown>): Promise<Error> {
  return await work.then(() => assert.unreachable("it was fulfilled"), (error) => error) as Error;
}

scenario("what a script with probes says are the PCs of its blocks", async (world) => {
  const { code, blocks, firstPc } = await world.pipeline.probe({ url: FILE, source: SOURCE });
  const [segment] = world.symbols.segments;
  assert.equal([segment.url, segment.count, blocks], [FILE, 4, 4]);
  assert.is(firstPc, pcOfBlock(segment.base));
  const [top, f, then] = run(code);
  assert.equal([top, f], [firstPc, firstPc + 8]);
  assert.ok(then === firstPc + 16 || then === firstPc + 24, "one of the branches");
});

scenario("a script has the same symbols whether it is counted or has probes", async (world) => {
  const url = "file:///shop.ts";
  const map = Buffer.from(
    '{"version":3,"sources":["original.ts"],"names":[],"mappings":"AAEA,SAAS"}',
  ).toString("base64");
  const data = `data:application/json;base64,${map}`;
  const scripts = [
    { url: FILE, source: SOURCE },
    { url, source: `${SOURCE}//# sourceMappingURL=${data}\n` },
  ];
  await using counted = new PipelineWorld();
  for (const script of scripts) {
    const { firstPc } = await world.pipeline.probe(script);
    const { segment, table } = await counted.pipeline.table(script);
    assert.equal(table, buildBlockTable(script.source));
    assert.is(pcOfBlock(segment.base), firstPc);
    assert.equal(await world.pipeline.table(script), { segment: { ...segment }, table });
  }
  assert.is(world.text, counted.text);
  assert.match(world.text, "original.ts");
  assert.equal([world.symbols.segments.length, world.warnings, counted.warnings], [2, [], []]);
});

scenario("a script known from an earlier run has its PCs without a new table", async (world) => {
  const { code } = await world.pipeline.probe({ url: FILE, source: SOURCE });
  const { text } = world;
  using again = SymbolTable.open(symbolFile(world.folder));
  await using other = world.makePipeline({
    find: (script) => again.find(script),
    add: () => {
      throw new Error("it is there");
    },
  });
  assert.equal([(await other.probe({ url: FILE, source: SOURCE })).code, world.text], [code, text]);
  const { segment, table } = await other.table({ url: FILE, source: SOURCE });
  assert.equal([segment.base, table.blockStart.length], [again.segments[0].base, 4]);
});

scenario("a script of the same URL and another source has other PCs", async (world) => {
  const first = await world.pipeline.probe({ url: FILE, source: SOURCE });
  const second = await world.pipeline.probe({ url: FILE, source: `${SOURCE}f(0);\n` });
  const third = await world.pipeline.probe({ url: "file:///b.js", source: SOURCE });
  assert.is(new Set([first, second, third].map(({ firstPc }) => firstPc)).size, 3);
});

scenario("the blocks of a script that another version counted are refused", async (world) => {
  const positions = Uint32Array.from([1, 1, 1, 2]);
  const hash = scriptHash(SOURCE);
  world.symbols.add({ url: FILE, hash, positions, files: [], fileOf: new Uint32Array(1) });
  const script = { url: FILE, source: SOURCE };
  for (const work of [world.pipeline.probe(script), world.pipeline.table(script)]) {
    assert.is((await rejection(work)).message, `the symbol table has other blocks of ${FILE}`);
  }
});

scenario(
  "a source that cannot be parsed is a SyntaxError, and the next is probed",
  async (world) => {
    for (let i = 0; i < 2; i++) {
      for (const way of ["probe", "table"] as const) {
        const error = await rejection(world.pipeline[way]({ url: FILE, source: "function (" }));
        assert.instance(error, SyntaxError);
        assert.ok(error.message.length > 0);
      }
    }
    assert.is(world.text, "");
    assert.is(world.warnings.length, 1, "once for all who count it");
    assert.match(world.warnings[0], /^Cannot measure file:\/\/\/a\.js: \S/);
    await world.pipeline.probe({ url: FILE, source: SOURCE });
  },
);

scenario("a source that has a probe's name itself is refused", async (world) => {
  const source = "const __kcov = 1;\n";
  assert.is(
    (await rejection(world.pipeline.probe({ url: FILE, source }))).message,
    "Cannot put probes into the source: it has the name __kcov itself",
  );
});

scenario("each line stays where it is, whatever ends it", async (world) => {
  const ends = ["\n", "\r\n", "\r", "\u2028", "\u2029"];
  const of = (end: string) => `let x = \`a${end}b\`;${end}if (x) {${end}x = 1;${end}}`;
  const pcs = new Set<number>();
  for (const end of ends) {
    const { code, firstPc } = await world.pipeline.probe({ url: FILE, source: of(end) });
    assert.equal(code.split(end).length, of(end).split(end).length, end);
    assert.ok(code.includes(`a${end}b`), "and none becomes another");
    pcs.add(firstPc);
  }
  assert.is(pcs.size, 2, "V8 does not tell those of one unit apart");
});

scenario("who asks for the same at once, or again, gets the same", async (world) => {
  const script = { url: FILE, source: SOURCE };
  const asked = await Promise.all([world.pipeline.probe(script), world.pipeline.probe(script)]);
  assert.is(asked[0], asked[1]);
  assert.is(await world.pipeline.probe({ ...script }), asked[0]);
  assert.is(world.text.split("\n").length, 2);
});

scenario("who counts the same at once, or again, gets the same", async (world) => {
  const script = { url: FILE, source: SOURCE };
  const asked = await Promise.all([world.pipeline.table(script), world.pipeline.table(script)]);
  assert.is(asked[0], asked[1]);
  assert.is(await world.pipeline.table({ ...script, mapUrl: "a.map" }), asked[0]);
  assert.is(world.text.split("\n").length, 2);
  const others = [{ ...script, url: "file:///b.js" }, { ...script, source: `${SOURCE}\n` }];
  for (const other of others) assert.is.not(await world.pipeline.table(other), asked[0]);
  assert.is(world.symbols.segments.length, 3);
  assert.ok(world.symbols.segments.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash)));
});

for (const way of ["probe", "table"] as const) {
  scenario(`a map that cannot be followed is warned of once (${way})`, async (world) => {
    const source = `${SOURCE}//# sourceMappingURL=data:,x\n`;
    for (let i = 0; i < 2; i++) await world.pipeline[way]({ url: FILE, source });
    assert.equal(world.warnings, [
      `Cannot follow the source map of ${FILE}: it is no JSON; its blocks are placed in itself`,
    ]);
    assert.is(world.symbols.segments[0].files.length, 0);
  });
}

scenario("a source map places blocks, where the script or who has it names one", async (world) => {
  const map = { version: 3, sources: ["a.ts"], sourcesContent: ["\nf();"], mappings: "AACA" };
  const mapUrl = `data:,${encodeURIComponent(JSON.stringify(map))}`;
  const within = `f();\n//# sourceMappingURL=${mapUrl}`;
  for (const script of [{ source: within }, { source: "f();", mapUrl }]) {
    const { segment } = await world.pipeline.table({ url: FILE, ...script });
    const [place] = world.symbols.positions(segment as SymbolSegment);
    assert.equal(place, { url: "file:///a.ts", range: "1.1,2.5", isOriginal: true });
  }
});

scenario("the code has a map of its own, by which its positions are found", async (world) => {
  const source = `${SOURCE}//# sourceMappingURL=gone.map\n`;
  const probed = await world.pipeline.probe({ url: "file:///b.js", source });
  assert.ok(probed.code.endsWith("//# sourceMappingURL=gone.map\n"), "which it has when asked for");
  const [, data] = withMap(probed).match(
    /\n\/\/# sourceMappingURL=data:application\/json;base64,(.+)\n$/,
  )!;
  const { version, sources, mappings } = JSON.parse(Buffer.from(data, "base64").toString());
  assert.equal([version, sources, mappings.split(";").length >= 2], [3, ["file:///b.js"], true]);
});

scenario("what is put in is told, and the hash of the code", async (world) => {
  const source = "if (a) { b(c ? 1 : 2); }\n";
  const { code, insertions, hash } = await world.pipeline.probe({ url: FILE, source });
  let text = code;
  for (let i = 0; i < insertions.length; i += 2) {
    const [at, length] = insertions.slice(i, i + 2);
    text = text.slice(0, at) + text.slice(at + length);
  }
  assert.is(text, source);
  assert.is(hash, createHash("sha256").update(code).digest("hex"));
});

scenario("what nests too deeply to be compiled with probes gets none", async (world) => {
  const source = `let a = ${"a ? 1 : ".repeat(300)}2;`;
  const error = await world.pipeline.probe({ url: FILE, source }).catch((error) => error);
  assert.match(error.message, /nests deeper than 200/);
});

scenario("symbols that cannot be written are no syntax error", async (world) => {
  const failing = {
    find: () => undefined,
    add(_: NewSymbols): never {
      throw new RangeError("Cannot give 4 blocks of it PCs: no room is left");
    },
  };
  await using other = world.makePipeline(failing);
  const script = { url: FILE, source: SOURCE };
  assert.instance(await rejection(other.probe(script)), RangeError);
  assert.instance(await rejection(other.table(script)), RangeError);
  assert.match(world.warnings.join(), /^Cannot measure file:\/\/\/a\.js: .*no room is left$/);
});

scenario("symbols that cannot be written now are tried again by who asks again", async (world) => {
  let isFull = true;
  await using other = world.makePipeline({
    find: (script) => world.symbols.find(script),
    add(script) {
      if (isFull) throw Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" });
      return world.symbols.add(script);
    },
  });
  const script = { url: FILE, source: SOURCE };
  for (const way of ["probe", "table"] as const) {
    const error = await rejection(other[way](script));
    assert.equal([error.name, error.message], [
      "StateError",
      "no space left in the state folder",
    ]);
  }
  isFull = false;
  const { firstPc } = await other.probe(script);
  assert.is(pcOfBlock((await other.table(script)).segment.base), firstPc);
});

scenario("scripts that are tried again for ever fill no log", async (world) => {
  await using other = world.makePipeline({
    find: () => undefined,
    add: () => {
      throw Object.assign(new Error("EROFS"), { code: "EROFS" });
    },
  });
  for (let i = 0; i < 30; i++) await rejection(other.table({ url: FILE, source: SOURCE }));
  assert.is(world.warnings.length, 10);
  assert.match(world.warnings[9], /left out for up to 60 s/);
});

scenario("scripts that are asked for at once each come to who asked", async ({ pipeline }) => {
  const sources = Array.from({ length: 50 }, (_, i) => `${SOURCE.repeat(i % 7)}// ${i}`);
  const asked = sources.map((source) => pipeline.table({ url: FILE, source }));
  const tables = (await Promise.all(asked)).map(({ table }) => table.length);
  assert.equal(tables, sources.map((source) => source.length));
});

scenario("modules and scripts are both read", async ({ pipeline }) => {
  for (const source of ["export const a = await b;", "with (a) b();", "return 1;"]) {
    assert.is((await pipeline.table({ url: FILE, source })).table.length, source.length);
  }
});

scenario("a deeply nested source is read, too", async ({ pipeline }) => {
  const depth = 5000;
  const source = `x = ${"[".repeat(depth)}a ? b : c${"]".repeat(depth)};`;
  const { table } = await pipeline.table({ url: FILE, source });
  assert.ok(table.blockStart.includes(source.indexOf("?")));
});

scenario("one nested deeper than the thread's stack is refused, and the next is read", async ({
  pipeline,
}) => {
  const depth = 200_000;
  const source = `${"[".repeat(depth)}${"]".repeat(depth)}`;
  const error = await rejection(pipeline.table({ url: FILE, source }));
  assert.instance(error, SyntaxError);
  assert.match(error.message, /nested too deeply$/);
  assert.is((await pipeline.table({ url: FILE, source: SOURCE })).table.length, SOURCE.length);
});

const MODULE = new URL("../../src/scripts/pipeline.js", import.meta.url).href;
const SYMBOLS = new URL("../../src/symbols/symbol_table.js", import.meta.url).href;
/** Begins a program with a pipeline of its own. */
const BEGIN = `import { Pipeline } from ${JSON.stringify(MODULE)};
  import { SymbolTable } from ${JSON.stringify(SYMBOLS)};
  const symbols = SymbolTable.open(process.argv[1]);
  const subject = new Pipeline({ symbols, reporter: { warn: console.log } });`;

/** Runs a program in a process of its own. */
function execute(world: PipelineWorld, program: string, args: readonly string[] = []) {
  const file = path.join(world.folder, "other");
  return spawnSync(
    process.execPath,
    [...args, "--input-type=module", "-e", `${BEGIN}${program}`, file],
    { timeout: 120_000, encoding: "utf8" },
  );
}

const SMALL_HEAP = ["--max-old-space-size=32"];

for (const way of ["probe", "table"] as const) {
  const sentence = "a script that ends the thread twice is refused by its name, and no other";
  scenario(`${sentence} (${way})`, (world) => {
    const program = `
    const huge = "f(a ? 1 : 2, () => { if (a) b; });".repeat(60_000);
    const sources = ["f();", huge, "g(1);", "h(1, 2);"];
    const ask = (source, i) => subject.${way}({ url: "file:///" + i + ".js", source });
    for (const { status, reason } of await Promise.allSettled(sources.map(ask))) {
      console.log(status, reason?.message);
    }
    const began = performance.now();
    await ask(huge, 1).catch(({ name }) => console.log(name, performance.now() - began < 1000));
    console.log(symbols.segments.length);`;
    const { status, stdout, stderr } = execute(world, program, SMALL_HEAP);
    assert.is(status, 0, stderr);
    const lines = stdout.trim().split("\n").filter((line) => !line.startsWith("Cannot measure"));
    assert.match(lines[1], /^rejected it ends the thread that reads it: .*memory/);
    lines[1] = "";
    const fulfilled = "fulfilled undefined";
    assert.equal(lines, [fulfilled, "", fulfilled, fulfilled, "CrashError true", "3"]);
    if (way === "table") assert.match(stdout, /^Cannot measure file:\/\/\/1\.js: it ends the /m);
  });

  scenario(`a map too large for memory costs the script but its map (${way})`, (world) => {
    const program = `
    const map = { version: 3, sources: ["a.ts"], mappings: "AAAA,".repeat(1_000_000) + "AAAA" };
    const comment = "//# sourceMappingURL=data:application/json;base64," + btoa(JSON.stringify(map));
    const sources = ["f();", "g(1);" + comment, "h(1, 2);"];
    await Promise.all(sources.map((source) => subject.${way}({ url: "a", source })));
    console.log(symbols.segments.map(({ files }) => files.length).join());`;
    const { status, stdout, stderr } = execute(world, program, SMALL_HEAP);
    assert.equal(
      [status, stdout],
      [
        0,
        "Cannot follow the source map of a: it is too large for the memory there is; " +
        "its blocks are placed in itself\n0,0,0\n",
      ],
      stderr,
    );
  });
}

scenario("the thread keeps the process while a script is asked for, and no longer", (world) => {
  const program = `
  await subject.start();
  const { table } = await subject.table({ url: "a", source: "f();" });
  console.log(table.length);`;
  const { status, stdout, stderr } = execute(world, program);
  assert.equal([status, stdout], [0, "4\n"], stderr);
});

/** Leaves the process only so many descriptors, until `free` gives some back. */
const TAKE_DESCRIPTORS = `
  import { closeSync, openSync } from "node:fs";
  import { execFileSync } from "node:child_process";
  const held = [];
  function take(but) {
    execFileSync("prlimit", ["--pid", String(process.pid), "--nofile=64"]);
    try { for (;;) held.push(openSync("/dev/null")); } catch {}
    give(but);
  }
  const give = (count) => { while (count-- > 0) closeSync(held.pop()); };
  const outcome = (work) => work.then(() => "done", ({ name }) => name);`;

scenario("without a descriptor for its thread, no script is given up", (world) => {
  const program = `${TAKE_DESCRIPTORS}
  const script = (i) => ({ url: "file:///" + i + ".js", source: "f();" });
  for (let but = 0; but < 6; but++) {
    take(but);
    const probed = outcome(subject.probe(script(9)));
    const counted = await Promise.all([0, 1].map((i) => outcome(subject.table(script(i)))));
    if (!counted.includes("done")) console.log(but, counted.join());
    give(held.length);
    console.log(await probed);
    console.log(await outcome(subject.table(script(0))));
    console.log(await outcome(subject.table(script(1))));
    if (counted.includes("done")) break;
  }
  console.log(symbols.segments.length);`;
  const { status, stdout, stderr } = execute(world, program);
  assert.is(status, 0, stderr);
  const lines = stdout.trim().split("\n");
  const [failures, rest] = [/^\d StateError,StateError$/, /^(?:done|3|Cannot measure .*)$/];
  assert.ok(lines.some((line) => failures.test(line)), stdout);
  assert.equal(lines.filter((line) => !failures.test(line) && !rest.test(line)), []);
  assert.is(lines.at(-1), "3");
});

scenario("once it is ready, it needs no descriptor; a map is followed when it can be", (world) => {
  fs.writeFileSync(
    path.join(world.folder, "a.js.map"),
    '{"version":3,"sources":["a.ts"],"sourcesContent":["let a: number = f();"],"mappings":"AAAA"}',
  );
  const mapped = { url: pathToFileURL(path.join(world.folder, "a.js")).href };
  const program = `${TAKE_DESCRIPTORS}
  const mapped = ${JSON.stringify({ ...mapped, source: "f();\n//# sourceMappingURL=a.js.map" })};
  await subject.start();
  take(0);
  console.log(await outcome(subject.table({ url: "file:///b.js", source: "f();" })));
  console.log(await outcome(subject.table(mapped)));
  give(1);
  console.log(await outcome(subject.table(mapped)));
  give(1);
  console.log(await outcome(subject.table(mapped)));
  console.log(symbols.segments.flatMap(({ files }) => files).length);`;
  const { status, stdout, stderr } = execute(world, program);
  assert.is(status, 0, stderr);
  const lines = stdout.trim().split("\n").filter((line) => !line.startsWith("Cannot measure"));
  assert.equal(lines, ["done", "StateError", "StateError", "done", "1"]);
});

pipeline("what is asked of one that is disposed of is rejected", async () => {
  for (const way of ["probe", "table"] as const) {
    await using world = new PipelineWorld();
    const pending = rejection(world.pipeline[way]({ url: FILE, source: SOURCE }));
    await world.pipeline[Symbol.asyncDispose]();
    const message = "Cannot read a script: its thread was ended";
    assert.is((await pending).message, message);
    const later = world.pipeline[way]({ url: "file:///b.js", source: SOURCE });
    assert.is((await rejection(later)).message, message);
    assert.equal(world.warnings, []);
  }
});

pipeline.run();
