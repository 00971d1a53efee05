import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { BlockPlaces } from "../../src/blocks/block_places.ts";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { placeBlocks } from "../../src/scripts/place_blocks.ts";

const places = suite("blocks/mapped_places");

const ORIGINS = new URL("../../../test/fixtures/origins/", import.meta.url);

/** The place of each block, and the script's text there: `file:line.column,line.column text`. */
function show(url: string, source: string, { files, fileOf, positions }: BlockPlaces): string[] {
  const { blockStart, blockEnd } = buildBlockTable(source);
  return Array.from(blockStart, (start, block) => {
    const [line, column, endLine, endColumn] = positions.subarray(4 * block, 4 * block + 4);
    const file = fileOf[block] === 0 ? url : files[fileOf[block] - 1];
    const text = source.slice(start, blockEnd[block]).replace(/\s+/g, " ").trim();
    const excerpt = text.length > 24 ? `${text.slice(0, 21)}...` : text;
    const name = file.slice(file.lastIndexOf("/") + 1);
    return `${name}:${line}.${column},${endLine}.${endColumn} ${excerpt}`;
  });
}

function place(source: string, options: { url?: string; map?: object } = {}): string[] {
  const { url = "file:///dist/script.js", map } = options;
  const table = buildBlockTable(source);
  const mapUrl = map &&
    `data:,${encodeURIComponent(JSON.stringify({ version: 3, names: [], ...map }))}`;
  const { broken, ...found } = placeBlocks({ url, source, ...(mapUrl && { mapUrl }) }, table);
  assert.is(broken, undefined);
  return show(url, source, found);
}

const built = (name: string): string[] => {
  const url = new URL(`built/${name}`, ORIGINS);
  return place(readFileSync(url, "utf8"), { url: url.href });
};

/** The places of the originals in a bundle of esbuild's, whatever its text. */
const BUNDLED = [
  "main.ts:5.13,7.2",
  "main.ts:7.2,10.99",
  "describe.js:2.8,4.2",
  "describe.js:3.15,3.32",
  "describe.js:3.33,3.48",
  "check.ts:5.8,10.2",
  "check.ts:6.17,8.4",
  "check.ts:8.4,9.21",
  "check.ts:9.21,9.24",
  "check.ts:9.25,9.40",
  "main.ts:10.22,10.98",
  "main.ts:10.67,10.85",
  "main.ts:10.86,10.97",
];
const withoutText = (lines: string[]) => lines.map((line) => line.split(" ", 1)[0]);

places("a bundle's blocks are in its originals, and its top level in itself", () => {
  assert.equal(withoutText(built("file.mjs")), ["file.mjs:1.1,24.1", ...BUNDLED]);
  assert.equal(withoutText(built("inline.mjs")), ["inline.mjs:1.1,24.1", ...BUNDLED]);
});

places("originals that the map does not have are read from their files", () => {
  assert.equal(withoutText(built("no_content.mjs")), ["no_content.mjs:1.1,24.1", ...BUNDLED]);
});

places("minified branches are where the statements were that they are made from", () => {
  const lines = built("minified.mjs");
  assert.ok(lines.includes("check.ts:6.17,8.4 ?3"));
  assert.ok(lines.includes("check.ts:8.4,9.21 :n===1?1:2"));
  assert.ok(lines.includes("main.ts:10.86,10.97 :void 0"));
});

places("what a bundler adds, and maps to nothing, is in the bundle", () => {
  const lines = built("esbuild.cjs");
  assert.ok(lines.includes('esbuild.cjs:11.12,11.39 && typeof from === "o...'));
});

places("an original that cannot be had, or parsed, is followed by its mappings alone", () => {
  // `f` and `a` are mapped to 3.1 and 5.7, `b` to 5.11.
  const source = "function f() { return a ? b : c; }";
  const mappings = "AAEA,sBAEM,IAAI";
  const expected = [
    "gone.vue:3.1,5.11 function f() { return...",
    "gone.vue:3.1,5.11 function f() { return...",
    "gone.vue:5.11,5.11 ? b",
    "gone.vue:5.11,5.11 : c",
  ];
  for (const sourcesContent of [undefined, ["<template>"]]) {
    const map = {
      sources: ["file:///none/gone.vue"],
      mappings,
      ...(sourcesContent && { sourcesContent }),
    };
    assert.equal(place(source, { map }), expected);
  }
});

places("a block ends in its original, and not before it starts", () => {
  // The second name is mapped above the first, the third to another file.
  const source = "function f() { a(); b(); c(); }";
  const sources = ["file:///none/x.vue", "file:///none/y.vue"];
  const map = { sources, mappings: "AAKA,eAFA,KCAA" };
  assert.equal(place(source, { map })[1], "x.vue:6.1,6.1 function f() { a(); b...");
});

places("without any mapping blocks are in the script", () => {
  const source = "if (a) b();";
  const plain = ["script.js:1.1,1.12 if (a) b();", "script.js:1.8,1.12 b();"];
  assert.equal(place(source), plain);
  for (const mappings of ["", ";;", "A", ";;;AAAA"]) {
    assert.equal(place(source, { map: { sources: ["a.ts"], mappings } }), plain, mappings);
  }
  assert.equal(place(source, { map: { sources: [null], mappings: "AAAA" } }), plain);
});

places("a script that bears its original's name has no places of its own in it", () => {
  const url = "file:///none/a.ts";
  const source = "f();\nfunction g() {}";
  const lines = place(source, { url, map: { sources: [url], mappings: "AAIA" } });
  assert.equal(lines, ["a.ts:5.1,5.1 f(); function g() {}", "a.ts:5.1,5.1 function g() {}"]);
});

places("what Node adds to stripped types is not in the file", () => {
  const url = "file:///a.ts";
  const text = "const a = 1;\nif (a) f();\ng();\n";
  const lines = place(`${text}\n\n//# sourceURL=${url}`, { url });
  assert.equal(withoutText(lines), ["a.ts:1.1,4.1", "a.ts:2.8,2.12", "a.ts:2.12,3.5"]);
});

places.run();
