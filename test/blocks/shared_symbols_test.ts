import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";

const shared = suite("blocks/symbol_table, shared by processes");

const ADD = fileURLToPath(new URL("add_symbols.js", import.meta.url));

async function addInProcess(file: string, urls: readonly string[]): Promise<Map<string, number>> {
  const { stdout } = await promisify(execFile)(process.execPath, [ADD, file, ...urls]);
  const lines = stdout.trim().split("\n").map((line) => line.split(" "));
  return new Map(lines.map(([url, base]) => [url, Number(base)]));
}

shared("two processes that add 200 scripts each at once agree and lose nothing", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "kcovfs-symbols-"));
  try {
    const file = path.join(folder, "symbols");
    // The second half of the one is the first half of the other.
    const urls = Array.from({ length: 300 }, (_, i) => `file:///script-${i}.js`);
    const [one, other] = await Promise.all([
      addInProcess(file, urls.slice(0, 200)),
      addInProcess(file, urls.slice(100).reverse()),
    ]);
    assert.equal([one.size, other.size], [200, 200]);
    for (const [url, base] of one) {
      if (other.has(url)) {
        assert.is(other.get(url), base, url);
      }
    }

    using table = SymbolTable.open(file);
    assert.equal([table.segments.length, table.damaged], [300, 0]);
    assert.is(readFileSync(file, "utf8").split("\n").length, 301);
    for (const [i, { url, base, count }] of table.segments.entries()) {
      assert.is(one.get(url) ?? other.get(url), base);
      assert.is(count, 50);
      assert.is(table.positions(table.segments[i]).length, 50);
      const next = table.segments[i + 1];
      if (next) {
        assert.ok(base + count <= next.base, `${url} and ${next.url}`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

shared.run();
