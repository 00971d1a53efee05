import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { plainPlaces } from "../../src/blocks/block_places.ts";
import { scriptHash } from "../../src/symbols/script_hash.ts";
import { SourceStore } from "../../src/symbols/source_store.ts";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";
import { blockAt, pcOfBlock } from "../../src/symbols/pc_space.ts";
import { PcLines } from "../../src/report/pc_lines.ts";

const report = suite("report/pc_lines");

const SOURCE = `function outer(x) {
  if (x)
    return [x].map((y) => y + 1);

  return other.of(x);
}
class Box { #value() { return 1; } get size() { return this.#value(); } }
`;

/** A state folder with a script; `of` finds the line of the n-th of its blocks. */
async function withScript(
  { source = SOURCE, isKept = true }: { source?: string; isKept?: boolean },
  work: (of: (block: number, options?: { source: boolean }) => Promise<string>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "kcovfs-pc-lines-"));
  try {
    const script = { url: "file:///srv/a.js", hash: scriptHash(source) };
    using symbols = SymbolTable.open(path.join(folder, "symbols"));
    const places = plainPlaces({ ...script, source }, buildBlockTable(source));
    const { base } = symbols.add({ ...script, ...places });
    await using sources = new SourceStore(path.join(folder, "sources"));
    if (isKept) sources.keep(script, { source, originals: [] });
    await sources[Symbol.asyncDispose]();
    const lines = new PcLines({ symbols, sources });
    await work((block, options) => lines.of(BigInt(pcOfBlock(blockAt({ base }, block))), options));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Without the PC, which depends on the script's hash. */
const withoutPc = (line: string) => line.replace(/^0xffffffff[0-9a-f]{8} /, "");

report("a block is told with its function: named, a member, without a name, or none", async () => {
  await withScript({}, async (of) => {
    const table = buildBlockTable(SOURCE);
    const all = await Promise.all(Array.from(table.blockStart, (_, block) => of(block)));
    const names = all.map((line) => /^\S+ \/srv\/a\.js:\d+\.\d+,\d+\.\d+ (.*)\n$/.exec(line)?.[1]);
    assert.is(names[0], "(top level)");
    assert.equal(
      new Set(names),
      new Set(["(top level)", "outer", "(anonymous)", "#value", "size"]),
    );
    assert.is(withoutPc(all[names.indexOf("outer")]), "/srv/a.js:1.1,6.2 outer\n");
  });
});

report("the line of code is the first that a block has any of", async () => {
  await withScript({}, async (of) => {
    const table = buildBlockTable(SOURCE);
    const codes = new Map<string, string>();
    for (let block = 0; block < table.blockStart.length; block++) {
      const [line, code] = (await of(block, { source: true })).split("\n");
      codes.set(withoutPc(line).replace(/^.*js:([\d.]+),.*$/, "$1"), code);
    }
    assert.is(codes.get("1.1"), "    function outer(x) {");
    const after = [...codes].find(([place]) => /^3\.\d+$/.test(place) && place > "3.3")!;
    assert.ok(after, `${[...codes]}`);
    assert.ok([...codes.values()].includes("    return other.of(x);"), `${[...codes]}`);
  });
});

report("of a line that is long, what is about the place is told", async () => {
  const source = `var ${"x".repeat(300)};(function deep() { return "found"; })();${
    "y".repeat(300)
  };`;
  await withScript({ source }, async (of) => {
    const [, code] = (await of(1, { source: true })).split("\n");
    assert.match(code, /function deep\(\) \{ return "found"; \}/);
    assert.ok(code.length <= 124, String(code.length));
  });
});

report("without the script's text there is the place alone", async () => {
  await withScript({ isKept: false }, async (of) => {
    assert.is(withoutPc(await of(0, { source: true })), "/srv/a.js:1.1,8.1\n");
  });
});

report("a PC that no script has is a question mark", async () => {
  await withScript({}, async (of) => {
    assert.match(await of(-1), /^0x[0-9a-f]+ \?\n$/);
    assert.match(await of(1000), /^0x[0-9a-f]+ \?\n$/);
  });
});

report.run();
