import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packBits } from "../../src/symbols/block_bits.ts";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { placeBlocks } from "../../src/scripts/place_blocks.ts";
import { scriptHash } from "../../src/symbols/script_hash.ts";
import { SourceStore } from "../../src/symbols/source_store.ts";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";
import { reportFiles } from "../../src/report/report_files.ts";

const report = suite("report/report_files");

const URL = "file:///srv/pick.ts";
/** The result of a compiler in place for each of these, with a map of the same name. */
const COMPILED = "export function pick(x) {\n  return x ? 1 : 2;\n}\n";
const PLAIN = "export function pick(x: number): number { return x ? 1 : 2; }\n";
/** A source that is not JavaScript when its types are left out. */
const ENUM = "enum E { A } export function pick(x: E): number { return x ? 1 : 2; }\n";

/** A map with a segment for each token that both have, in order. */
function withMap(original: string): string {
  const at = (text: string) => original.indexOf(text);
  const lines = [
    [[0, at("export")], [7, at("function")], [16, at("pick")], [21, at("x:")], [
      24,
      at("{ return"),
    ]],
    [[2, at("return")], [9, at("x ?")], [13, at("1 :")], [17, at("2;")]],
    [[0, at("}\n")], [1, at("}\n") + 1]],
  ];
  let before = 0;
  const mappings = lines.map((segments) => {
    let column = 0;
    return segments.map(([generated, place]) => {
      const text = [generated - column, 0, 0, place - before].map(vlq).join("");
      [column, before] = [generated, place];
      return text;
    }).join(",");
  }).join(";");
  const map = { version: 3, sources: [URL], sourcesContent: [original], names: [], mappings };
  const url = `data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString("base64")}`;
  return `${COMPILED}//# sourceMappingURL=${url}\n`;
}

/** A number in base64, as source maps have it; below 1024. */
function vlq(value: number): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const bits = value < 0 ? (-value << 1) | 1 : value << 1;
  return bits < 32 ? digits[bits] : digits[(bits & 31) | 32] + digits[bits >> 5];
}

for (const [name, original] of Object.entries({ PLAIN, ENUM })) {
  report(
    `TypeScript that was compiled in place is told of as it was written: ${name}`,
    async () => {
      const folder = mkdtempSync(path.join(tmpdir(), "kcovfs-report-files-"));
      try {
        const source = withMap(original);
        const script = { url: URL, hash: scriptHash(source) };
        using symbols = SymbolTable.open(path.join(folder, "symbols"));
        const table = buildBlockTable(source);
        const { originals, broken, ...places } = placeBlocks({ url: URL, source }, table);
        assert.is(broken, undefined);
        const { base } = symbols.add({ ...script, ...places });
        await using sources = new SourceStore(path.join(folder, "sources"));
        sources.keep(script, { source, originals });
        await sources[Symbol.asyncDispose]();
        // All but one of the two branches.
        const marks = new Uint8Array(table.blockStart.length).fill(1);
        marks[marks.length - 1] = 0;
        const covered = [{ name: "a", scripts: [{ base, blocks: packBits(marks, 1) }] }];
        const options = { symbols, sources, progress: () => {} };
        const [{ data, shown }, ...others] = await reportFiles(covered, options);
        assert.is(others.length, 0);
        assert.is(shown, original);
        const [statements, branches] = [Object.values(data.s), Object.values(data.b).flat()];
        assert.ok(statements.includes(1), JSON.stringify(data));
        assert.equal([...new Set(branches)].sort(), [0, 1]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
}

report.run();
