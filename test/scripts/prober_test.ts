import { runInNewContext } from "node:vm";
import { createHash } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Engine } from "../../src/scripts/engine.ts";
import { pcOfBlock } from "../../src/symbols/pc_space.ts";
import { scriptHash } from "../../src/symbols/script_hash.ts";
import { type NewSymbols, SymbolTable } from "../../src/symbols/symbol_table.ts";
import { TableBuilder } from "../../src/scripts/table_builder.ts";
import { symbolFile } from "../../src/symbols/symbol_file.ts";
import { collection, report } from "../blocks/engine_world.ts";
import { withMap } from "../../src/scripts/prober.ts";
import { ProberWorld } from "../probes/prober_world.ts";

const prober = suite("scripts/prober");

const FILE = "file:///a.js";
/** Four blocks: the top level, `f`, and both branches. */
const SOURCE = "function f(a) { return a ? 1 : 2; }\nf(1);\n";

function scenario(sentence: string, run: (world: ProberWorld) => unknown): void {
  prober(sentence, async () => {
    await using world = new ProberWorld();
    await run(world);
  });
}

/** The PCs, by their lower halves, that a script with probes says when it is run. */
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
  const { code, blocks, firstPc } = await world.prober.probe({ url: FILE, source: SOURCE });
  const [segment] = world.symbols.segments;
  assert.equal([segment.url, segment.count, blocks], [FILE, 4, 4]);
  assert.is(firstPc, pcOfBlock(segment.base));
  const [top, f, then] = run(code);
  assert.equal([top, f], [firstPc, firstPc + 8]);
  assert.ok(then === firstPc + 16 || then === firstPc + 24, "one of the branches");
});

scenario("a script has the symbols that it has where it is counted", async (world) => {
  const url = "file:///shop.ts";
  const map = Buffer.from(
    '{"version":3,"sources":["original.ts"],"names":[],"mappings":"AAEA,SAAS"}',
  ).toString("base64");
  const data = `data:application/json;base64,${map}`;
  const sources = { [FILE]: SOURCE, [url]: `${SOURCE}//# sourceMappingURL=${data}\n` };
  await using counted = new ProberWorld();
  await using tables = new TableBuilder();
  const warn = (line: string) => assert.unreachable(line);
  const target = new Engine({ symbols: counted.symbols, tables, warn }).target(() => true);
  for (const [url, source] of Object.entries(sources)) {
    await world.prober.probe({ url, source });
    const functions = [report("", [[0, source.length, 1]])];
    target.absorb(collection({ scriptId: url, url, functions }));
    await target.learn(new Map([[url, source]]), [url]);
  }
  assert.is(world.text, counted.text);
  assert.match(world.text, "original.ts");
  assert.is(world.symbols.segments.length, 2);
  const pcs = [...target.drain()];
  assert.ok(world.symbols.segments.every(({ base }) => pcs.includes(pcOfBlock(base))));
});

scenario("a script known from an earlier run has its PCs without a new table", async (world) => {
  const { code } = await world.prober.probe({ url: FILE, source: SOURCE });
  const { text } = world;
  using again = SymbolTable.open(symbolFile(world.folder));
  await using other = world.makeProber({
    find: (script) => again.find(script),
    add: () => {
      throw new Error("it is there");
    },
  });
  assert.equal([(await other.probe({ url: FILE, source: SOURCE })).code, world.text], [code, text]);
});

scenario("a script of the same URL and another source has other PCs", async (world) => {
  const first = await world.prober.probe({ url: FILE, source: SOURCE });
  const second = await world.prober.probe({ url: FILE, source: `${SOURCE}f(0);\n` });
  const third = await world.prober.probe({ url: "file:///b.js", source: SOURCE });
  assert.is(new Set([first, second, third].map(({ firstPc }) => firstPc)).size, 3);
});

scenario(
  "the blocks of a script that was counted by another version are refused",
  async (world) => {
    const positions = Uint32Array.from([1, 1, 1, 2]);
    const hash = scriptHash(SOURCE);
    world.symbols.add({ url: FILE, hash, positions, files: [], fileOf: new Uint32Array(1) });
    assert.is(
      (await rejection(world.prober.probe({ url: FILE, source: SOURCE }))).message,
      `Cannot put probes into ${FILE}: the symbol table has other blocks`,
    );
  },
);

scenario(
  "a source that cannot be parsed is a SyntaxError, and the next is probed",
  async (world) => {
    for (let i = 0; i < 2; i++) {
      const error = await rejection(world.prober.probe({ url: FILE, source: "function (" }));
      assert.instance(error, SyntaxError);
      assert.ok(error.message.length > 0);
    }
    assert.is(world.text, "");
    await world.prober.probe({ url: FILE, source: SOURCE });
  },
);

scenario("a source that has a probe's name itself is refused", async (world) => {
  const source = "const __kcov = 1;\n";
  assert.is(
    (await rejection(world.prober.probe({ url: FILE, source }))).message,
    "Cannot put probes into the source: it has the name __kcov itself",
  );
});

scenario("each line stays where it is, whatever ends it", async (world) => {
  const ends = ["\n", "\r\n", "\r", "\u2028", "\u2029"];
  const of = (end: string) => `let x = \`a${end}b\`;${end}if (x) {${end}x = 1;${end}}`;
  const pcs = new Set<number>();
  for (const end of ends) {
    const { code, firstPc } = await world.prober.probe({ url: FILE, source: of(end) });
    assert.equal(code.split(end).length, of(end).split(end).length, end);
    assert.ok(code.includes(`a${end}b`), "and none becomes another");
    pcs.add(firstPc);
  }
  assert.is(pcs.size, 2, "V8 does not tell those of one unit apart");
});

scenario("who asks for the same at once, or again, gets the same", async (world) => {
  const script = { url: FILE, source: SOURCE };
  const asked = await Promise.all([world.prober.probe(script), world.prober.probe(script)]);
  assert.is(asked[0], asked[1]);
  assert.is(await world.prober.probe({ ...script }), asked[0]);
  assert.is(world.text.split("\n").length, 2);
});

scenario("a source map that cannot be followed is warned of", async (world) => {
  const source = `${SOURCE}//# sourceMappingURL=data:application/json;base64,AAAA\n`;
  await world.prober.probe({ url: FILE, source });
  assert.is(world.warnings.length, 1);
  assert.match(world.warnings[0], /^Cannot follow the source map of file:\/\/\/a\.js: ./);
});

scenario("the code has a map of its own, by which its positions are found", async (world) => {
  const source = `${SOURCE}//# sourceMappingURL=gone.map\n`;
  const probed = await world.prober.probe({ url: "file:///b.js", source });
  assert.ok(probed.code.endsWith("//# sourceMappingURL=gone.map\n"), "which it has when asked for");
  const [, data] = withMap(probed).match(
    /\n\/\/# sourceMappingURL=data:application\/json;base64,(.+)\n$/,
  )!;
  const { version, sources, mappings } = JSON.parse(Buffer.from(data, "base64").toString());
  assert.equal([version, sources, mappings.split(";").length >= 2], [3, ["file:///b.js"], true]);
});

scenario("what is put in is told, and the hash of the code", async (world) => {
  const source = "if (a) { b(c ? 1 : 2); }\n";
  const { code, insertions, hash } = await world.prober.probe({ url: FILE, source });
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
  const error = await world.prober.probe({ url: FILE, source }).catch((error) => error);
  assert.match(error.message, /nests deeper than 200/);
});

scenario("symbols that cannot be written are no syntax error", async (world) => {
  const failing = {
    find: () => undefined,
    add(_: NewSymbols): never {
      throw new RangeError("Cannot give 4 blocks of it PCs: no room is left");
    },
  };
  await using other = world.makeProber(failing);
  const error = await rejection(other.probe({ url: FILE, source: SOURCE }));
  assert.instance(error, RangeError);
});

prober("what is asked of one that is disposed of is rejected", async () => {
  await using world = new ProberWorld();
  const pending = rejection(world.prober.probe({ url: FILE, source: SOURCE }));
  await world.prober[Symbol.asyncDispose]();
  const message = "Cannot put probes into a script: its thread was ended";
  assert.is((await pending).message, message);
  const later = world.prober.probe({ url: "file:///b.js", source: SOURCE });
  assert.is((await rejection(later)).message, message);
});

prober.run();
