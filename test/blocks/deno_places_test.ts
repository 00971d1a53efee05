/**
 * From the same TypeScript Deno makes another text than Node does, with a source map. Blocks stand in
 * the same places all the same. This compares each file of this repository, and some that are written to be
 * hard, with the real results of Deno and Node.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { BlockPlaces } from "../../src/blocks/block_places.ts";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { placeBlocks } from "../../src/scripts/place_blocks.ts";

const test = suite("blocks/deno_places");

// This runs in dist/test/blocks.
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const DENO = join(ROOT, "test/node_modules/.bin/deno");
const NODE = join(ROOT, "test/node_modules/node24/bin/node");
const STRIP = join(ROOT, "test/fixtures/programs/strip_types.mjs");

function filesIn(folder: string): string[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  // The packages of the benchmarks may be installed.
  return files.filter((file) => file.endsWith(".ts") && !file.includes("node_modules/"))
    .map((file) => join(ROOT, folder, file));
}

/** The text that Deno runs of each file: it keeps it in its cache. */
function compileWithDeno(files: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-deno-"));
  try {
    const { status, stderr } = spawnSync(DENO, ["cache", "--no-check", ...files], {
      encoding: "utf8",
      env: { ...process.env, DENO_DIR: folder },
      timeout: 60_000,
    });
    assert.is(status, 0, stderr);
    return files.map((file) => readFileSync(join(folder, "gen/file", `${file}.js`), "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function stripWithNode(files: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync(NODE, ["--no-warnings", STRIP, ...files], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  assert.is(status, 0, stderr);
  return JSON.parse(stdout);
}

/** `file:line.column,line.column` of all blocks, sorted. */
function placesOf(url: string, source: string): string[] {
  const table = buildBlockTable(source);
  const { broken, ...places } = placeBlocks({ url, source }, table);
  assert.is(broken, undefined);
  const all = Array.from(table.blockStart, (_, block) => printed(url, places, block));
  return [...new Set(all)].sort();
}

function printed(url: string, { files, fileOf, positions }: BlockPlaces, block: number): string {
  const [line, column, endLine, endColumn] = positions.subarray(4 * block, 4 * block + 4);
  const file = fileOf[block] === 0 ? url : files[fileOf[block] - 1];
  return `${file}:${line}.${column},${endLine}.${endColumn}`;
}

function compare(files: readonly string[]): number {
  const compiled = compileWithDeno(files);
  let blocks = 0;
  for (const [i, stripped] of stripWithNode(files).entries()) {
    // If no code is left to run, Deno's map is empty.
    if (stripped.replace(/\/\*[^]*?\*\/|\/\/.*/g, "").trim() === "") continue;
    const url = pathToFileURL(files[i]).href;
    assert.is.not(compiled[i], stripped);
    const expected = placesOf(url, stripped);
    assert.equal(placesOf(url, compiled[i]), expected, files[i]);
    blocks += expected.length;
  }
  return blocks;
}

test("the blocks of this repository's TypeScript are in the same places in Deno and in Node", () => {
  const blocks = compare([...filesIn("src"), ...filesIn("bench")]);
  assert.ok(blocks > 2000, `${blocks} blocks`);
});

test("so are those of files that use all there is", () => {
  const blocks = compare(filesIn("test/fixtures/typescript"));
  assert.ok(blocks > 200, `${blocks} blocks`);
});

test.run();
