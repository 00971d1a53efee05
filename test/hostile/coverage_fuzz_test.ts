/** Sources, source maps, V8's reports, symbol tables and kept sources that others have written. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import { type BlockTable, buildBlockTable } from "../../src/blocks/block_table.ts";
import { CoverageReader } from "../../src/blocks/coverage_reader.ts";
import { Engine } from "../../src/scripts/engine.ts";
import { executedBlocks } from "../../src/blocks/executed_blocks.ts";
import { FunctionIndex } from "../../src/blocks/function_index.ts";
import { Pipeline } from "../../src/scripts/pipeline.ts";
import { placeBlocks } from "../../src/scripts/place_blocks.ts";
import { SourceStore } from "../../src/symbols/source_store.ts";
import type { ScriptReport } from "../../src/blocks/script_report.ts";
import { blockAt } from "../../src/symbols/pc_space.ts";
import { type SymbolSegment, SymbolTable } from "../../src/symbols/symbol_table.ts";
import { randomProgram } from "../blocks/random_program.ts";
import { fuzz } from "./fuzzing.ts";
import { mutateBytes, mutatedJsonText, mutateText, shown } from "./mutate_text.ts";
import type { Random } from "./random.ts";

const coverage = suite("hostile, coverage");

// This runs in dist/test/hostile; fixtures are not compiled, so it uses the sources' folder.
const FIXTURES = fileURLToPath(new URL("../../../test/fixtures/", import.meta.url));
const BUILT = path.join(FIXTURES, "origins/built");
const read = (file: string) => fs.readFileSync(file, "utf8");

let folder = "";
let symbols: SymbolTable;
let pipeline: Pipeline;
let warn: (line: string) => void;
coverage.before(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), "kcovfs-hostile-"));
  symbols = SymbolTable.open(path.join(folder, "pipeline"));
  pipeline = new Pipeline({ symbols, reporter: { warn: (line) => warn(line) } });
});
coverage.after(async () => {
  await pipeline[Symbol.asyncDispose]();
  symbols[Symbol.dispose]();
  fs.rmSync(folder, { recursive: true });
});

/** Fails unless a table's parts fit together. */
function checkTable(table: BlockTable): void {
  const { length, functionStart, functionEnd, firstBlock, blockStart, blockEnd } = table;
  const isTopLevel = functionStart[0] === 0 && functionEnd[0] === length;
  if (!isTopLevel || firstBlock.length !== functionStart.length + 1) throw new Error("no rows");
  if (firstBlock.at(-1) !== blockStart.length) throw new Error("blocks of no function");
  for (let row = 0; row < functionStart.length; row++) {
    if (functionStart[row] > functionEnd[row] || functionEnd[row] > length) {
      throw new Error(`function ${row} is not within the source`);
    }
    if (firstBlock[row] >= firstBlock[row + 1]) throw new Error(`function ${row} has no block`);
  }
  for (const [block, start] of blockStart.entries()) {
    if (start > blockEnd[block] || start > length) throw new Error(`block ${block} is nowhere`);
  }
}

/** The error that `call` throws, if it has this type and one line. */
function refusal(call: () => void, Type: new (message: string) => Error): string {
  try {
    call();
    return "";
  } catch (error) {
    if (!(error instanceof Type) || /\n/.test(error.message)) throw error;
    return error.message;
  }
}

const SOURCES = fs.readdirSync(path.join(FIXTURES, "sources"))
  .filter((name) => /\.[cm]?js$/.test(name))
  .map((name) => read(path.join(FIXTURES, "sources", name)));
const NESTS = [
  "(",
  "[",
  "{",
  "a(",
  "()=>",
  "`${",
  "!",
  "async()=>",
  "function f(){",
  "a?b:",
  "a.b",
  "a+",
];
const LARGE = [
  "if(a){}else ",
  "a?.b?.",
  "case 1:",
  "x=>",
  "new ",
  "a=",
  "-",
  "/",
  "<!--",
  "import(",
];

function randomSource(random: Random): string {
  if (random.chance(4)) {
    return random.pick([...NESTS, ...LARGE]).repeat(random.pick([100, 2000, 20_000])) + "a";
  }
  const source = random.chance(50) ? random.pick(SOURCES) : randomProgram(random.u32()).source;
  return random.chance(90) ? mutateText(source, random) : source;
}

coverage(
  "a source that makes no sense has a table, or a SyntaxError of one line",
  () =>
    fuzz<string>({
      name: "block tables",
      ...{ reduced: 500, full: 30_000 },
      make: randomSource,
      check: (source) => {
        refusal(() => checkTable(buildBlockTable(source)), SyntaxError);
      },
      show: shown,
    }),
);

const MAPS = fs.readdirSync(BUILT).filter((name) => name.endsWith(".map")).map((name) => ({
  source: read(path.join(BUILT, name.replace(/\.map$/, ""))),
  map: JSON.parse(read(path.join(BUILT, name))) as object,
}));
const SCRIPT = path.join(BUILT, "script.js");
const TABLES = new Map<string, BlockTable>();

interface MapInput {
  readonly source: string;
  readonly text: string;
}

function randomMap(random: Random): MapInput {
  const { source, map } = random.pick(MAPS);
  const offset = { line: random.below(3), column: random.below(3) };
  const section = (inner: object) => ({ version: 3, sections: [{ offset, map: inner }] });
  const kinds: (() => object)[] = [
    () => map,
    () => map,
    () => section(map),
    () => section(section(map)),
    () => ({ version: 3, sections: Array(random.pick([0, 2, 3000])).fill({ offset, map }) }),
    () => ({ ...map, sources: Array(random.pick([0, 1, 20_000])).fill("../src/main.ts") }),
    () => ({ ...map, mappings: randomMappings(random) }),
    () => ({ ...map, sourcesContent: [randomSource(random)] }),
    () => ({ ...map, sourceRoot: random.pick(ROOTS) }),
  ];
  return { source, text: mutatedJsonText(random.pick(kinds)(), random) };
}

const ROOTS = [
  "../..",
  "/proc/self",
  "file:///dev",
  "http://[",
  "\0",
  "a".repeat(5000),
  "file://x/y",
];
const VLQ = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/,;,;";

function randomMappings(random: Random): string {
  const length = random.pick([3, 50, 2000]);
  const text = Array.from({ length }, () => random.chance(60) ? "A" : random.pick([...VLQ])).join(
    "",
  );
  return random.chance(10) ? text.repeat(200) : text;
}

coverage("a source map that makes no sense leaves each block a place", () =>
  fuzz<MapInput>({
    name: "source maps",
    ...{ reduced: 150, full: 20_000 },
    limit: 10_000,
    make: randomMap,
    check: ({ source, text }) => {
      const table = TABLES.get(source) ?? buildBlockTable(source);
      TABLES.set(source, table);
      const mapUrl = `data:application/json,${encodeURIComponent(wellFormed(text))}`;
      const placed = placeBlocks({ url: SCRIPT, source, mapUrl }, table);
      const { positions, fileOf, files, broken = "" } = placed;
      const count = table.blockStart.length;
      if (positions.length !== 4 * count || fileOf.length !== count) throw new Error("no places");
      if (fileOf.some((file) => file > files.length)) throw new Error("a place in no file");
      if (/\n/.test(broken) || broken.includes("Error")) throw new Error(`broken: ${broken}`);
    },
    show: ({ text }) => shown(text),
  }));

/** No file has lone surrogates. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

interface ReportInput {
  readonly source: string;
  readonly text: Uint8Array;
}

/** V8's report of a script, with made-up ranges. */
function reportOf(table: BlockTable, random: Random): object {
  const { functionStart, functionEnd, blockStart, blockEnd, firstBlock } = table;
  const functions = Array.from(functionStart, (startOffset, row) => {
    const count = random.below(3);
    const ranges = [{ startOffset, endOffset: functionEnd[row], count }];
    for (let block = firstBlock[row] + 1; block < firstBlock[row + 1]; block++) {
      if (random.chance(70)) continue;
      const range = { startOffset: blockStart[block], endOffset: blockEnd[block] };
      ranges.push({ ...range, count: random.below(2) });
    }
    return {
      functionName: random.pick(["", "f", "é\\"]),
      ranges,
      isBlockCoverage: random.chance(80),
    };
  });
  return { scriptId: String(random.below(4)), url: "file:///a.js", functions };
}

function randomReport(random: Random): ReportInput {
  const source = random.pick(SOURCES.slice(0, 4));
  const table = TABLES.get(source) ?? buildBlockTable(source);
  TABLES.set(source, table);
  const reports = Array.from({ length: random.below(4) }, () => reportOf(table, random));
  const isPlain = random.chance(30);
  const bytes = Buffer.from(isPlain ? JSON.stringify(reports) : mutatedJsonText(reports, random));
  return { source, text: isPlain || random.chance(20) ? mutateBytes(bytes, random) : bytes };
}

const reader = new CoverageReader();

function checkReport(report: ScriptReport, source: string): void {
  const table = TABLES.get(source)!;
  const index = new FunctionIndex(table);
  if (typeof report.url !== "string" || typeof report.scriptId !== "string") {
    throw new Error("keys");
  }
  for (let i = 0; i < report.length; i++) {
    if (typeof report.nameOf(i) !== "string") throw new Error(`function ${i} has no name`);
    const range = report.firstRange[i];
    if (range > report.firstRange[i + 1]) throw new Error(`function ${i} ends before it begins`);
    if (range === report.firstRange[i + 1]) continue;
    const row = index.find(report.start[range], report.end[range]);
    if (row < 0) continue;
    executedBlocks(table, row, { report, index: i }, (block) => {
      if (block >= table.blockStart.length) throw new Error(`block ${block} of none`);
    });
  }
}

coverage(
  "a report that makes no sense is a SyntaxError, and names blocks that there are",
  () =>
    fuzz<ReportInput>({
      name: "reports",
      ...{ reduced: 1500, full: 200_000 },
      make: randomReport,
      check: ({ source, text }) => {
        refusal(() => reader.read(text, (report) => checkReport(report, source)), SyntaxError);
      },
      show: ({ text }) => shown(Buffer.from(text).toString()),
    }),
);

coverage(
  "a target's reports and sources never make the engine throw anything else",
  () =>
    fuzz<ReportInput & { sources: ReadonlyMap<string, string> }>({
      name: "engine",
      ...{ reduced: 100, full: 10_000 },
      make(random) {
        const report = randomReport(random);
        const sources = ["0", "1", "2", "3"].map((id) =>
          [id, random.chance(70) ? report.source : randomSource(random)] as const
        );
        return { ...report, sources: new Map(sources) };
      },
      check: async ({ text, sources }) => {
        const warnings: string[] = [];
        warn = (line) => void warnings.push(line);
        const target = new Engine(pipeline).target(() => true);
        let unknown: string[] = [];
        refusal(() => void (unknown = target.absorb(text)), SyntaxError);
        await target.learn(sources, unknown);
        refusal(() => void target.absorb(text), SyntaxError);
        target.drain();
        // At most one warning for each of the four scripts; the code that prints lines makes names harmless.
        if (warnings.length > 4) throw new Error(`${warnings.length} warnings`);
      },
      show: ({ text }) => shown(Buffer.from(text).toString()),
    }),
);

function symbolLines(random: Random): string {
  const place = () => `${1 + random.below(9)}.${1 + random.below(9)},9.9`;
  const lines = Array.from({ length: 1 + random.below(6) }, (_, i) => {
    const count = 1 + random.below(6);
    const fields = [1000 * i, count, "ab".repeat(32), JSON.stringify(`file:///${i}.js`)];
    const isMapped = random.chance(40);
    if (isMapped) fields.push(JSON.stringify(["file:///a.ts"]));
    const places = Array.from({ length: count }, () => `${isMapped ? "1:" : ""}${place()}`);
    return `${[`kcovfs${isMapped ? 2 : 1}`, ...fields, places.join(" ")].join("\t")}\n`;
  });
  return lines.join("");
}

const NUMBERS = [
  "0",
  "1",
  "266338303",
  "266338304",
  "4294967295",
  "9".repeat(30),
  "-1",
  "1e9",
  " 1",
];

function mutateLines(lines: string, random: Random): string {
  if (random.chance(40)) return lines.replace(/\t\d+/, `\t${random.pick(NUMBERS)}`);
  if (random.chance(20)) return lines.replace(/(\t\d+\t)\d+/, `$1${random.pick(NUMBERS)}`);
  return mutateText(lines, random);
}

coverage(
  "a symbol table that makes no sense is read as far as it does, and goes on",
  () =>
    fuzz<Uint8Array>({
      name: "symbol tables",
      ...{ reduced: 100, full: 10_000 },
      make(random) {
        const lines = Buffer.from(mutateLines(symbolLines(random), random));
        return random.chance(20) ? mutateBytes(lines, random) : lines;
      },
      check(bytes) {
        const file = path.join(folder, "symbols");
        fs.writeFileSync(file, bytes);
        using table = SymbolTable.open(file);
        for (const segment of table.segments) {
          const { length } = table.positions(segment);
          if (length > Math.min(segment.count, bytes.length)) {
            throw new Error(`${length} positions`);
          }
          for (const block of [segment.base, blockAt(segment, segment.count - 1)]) {
            const place = table.locate(block);
            if (typeof place?.url !== "string" || typeof place.range !== "string") {
              throw new Error(`block ${block} is nowhere`);
            }
          }
        }
        const before = table.segments;
        const positions = Uint32Array.of(1, 1, 9, 9, 2, 2, 3, 3);
        const plain = { positions, files: [], fileOf: new Uint32Array(2) };
        const script = { url: "file:///new.js", hash: "cd".repeat(32), ...plain };
        // A line may claim all PCs.
        let added!: SymbolSegment;
        if (refusal(() => void (added = table.add(script)), RangeError) !== "") return;
        for (const { base, count } of before) {
          const isApart = added.base + added.count <= base || base + count <= added.base;
          if (!isApart) throw new Error(`PCs from ${added.base} on are of two scripts`);
        }
        using again = SymbolTable.open(file, { isReadOnly: true });
        if (!again.find(added)) throw new Error("what was added is lost");
      },
      show: (bytes) => shown(Buffer.from(bytes).toString("latin1")),
    }),
);

coverage("kept sources that make no sense are as none", () =>
  fuzz<Uint8Array>({
    name: "kept sources",
    ...{ reduced: 100, full: 10_000 },
    make(random) {
      const kept = { source: "a", originals: [{ url: "file:///a.ts", text: "b" }] };
      const bytes = gzipSync(mutatedJsonText(kept, random));
      return random.chance(30) ? mutateBytes(bytes, random) : bytes;
    },
    async check(bytes) {
      const script = { url: "file:///a.js", hash: "ef".repeat(32) };
      await using store = new SourceStore(path.join(folder, "sources"));
      const [name] = fs.existsSync(path.join(folder, "sources"))
        ? fs.readdirSync(path.join(folder, "sources"))
        : [];
      if (!name) store.keep(script, { source: "", originals: [] });
      else fs.writeFileSync(path.join(folder, "sources", name), bytes);
      const kept = await store.read(script);
      if (!kept) return;
      const isText = (value: unknown) => typeof value === "string";
      const isWhole = isText(kept.source) && Array.isArray(kept.originals) &&
        kept.originals.every((original) => isText(original?.url) && isText(original?.text));
      if (!isWhole) throw new Error(`it is read as ${JSON.stringify(kept)}`);
    },
    show: (bytes) => Buffer.from(bytes).toString("hex"),
  }));

coverage.run();
