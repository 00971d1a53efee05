import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MapError } from "../../src/blocks/map_reader.ts";
import { parseSourceMap } from "../../src/blocks/source_map.ts";

const maps = suite("blocks/source_map");

const BASE = "file:///app/dist/a.js.map";
const MAP = { version: 3, sources: ["../src/a.ts"], names: [], mappings: "AAAA;AACA" };

function parse(map: unknown, options: { lines?: number; base?: string | undefined } = {}) {
  const text = typeof map === "string" ? map : JSON.stringify(map);
  const base = "base" in options ? options.base : BASE;
  return parseSourceMap({ text, base }, { lines: options.lines ?? 10 });
}

const urlsOf = (map: object, base?: string) =>
  parse({ ...MAP, ...map }, { base }).originals.map(({ url }) => url);

maps("mappings are told by line, originals with what the map has of them", () => {
  assert.equal(parse({ ...MAP, sourcesContent: ["text"] }), {
    originals: [{ url: "file:///app/src/a.ts", content: "text" }],
    lines: [[[0, 0, 0, 0]], [[0, 0, 1, 0]]],
  });
});

maps("sources are relative to the map and to its root; names with other schemes stay", () => {
  const cases: [string | null, string | undefined, string][] = [
    ["a b.ts", undefined, "file:///app/dist/a%20b.ts"],
    ["/abs/a.ts", undefined, "file:///abs/a.ts"],
    ["file:///x/../y.ts", undefined, "file:///y.ts"],
    ["a.ts", "../lib", "file:///app/lib/a.ts"],
    ["a.ts", "../lib/", "file:///app/lib/a.ts"],
    ["a.ts", "file:///root", "file:///root/a.ts"],
    ["a.ts", "", "file:///app/dist/a.ts"],
    ["webpack://app/./src/a.ts?1f", undefined, "webpack://app/./src/a.ts?1f"],
    ["./src/a.ts", "webpack:///", "webpack:///./src/a.ts"],
    ["http://localhost/a.ts", undefined, "http://localhost/a.ts"],
    ["", undefined, ""],
    [null, undefined, ""],
  ];
  for (const [source, sourceRoot, url] of cases) {
    const map = { sources: [source], ...(sourceRoot !== undefined && { sourceRoot }) };
    assert.equal(urlsOf(map, BASE), [url], String(source));
  }
  assert.equal(urlsOf({ sources: ["./a.ts"] }), ["./a.ts"], "without anything to be relative to");
});

maps("a map may have sections, each with sources of its own", () => {
  const section = (line: number, column: number, source: string) => ({
    offset: { line, column },
    map: { ...MAP, sources: [source], mappings: "AAAA" },
  });
  const map = {
    version: 3,
    sections: [section(0, 0, "a.ts"), section(0, 5, "b.ts"), section(2, 1, "c.ts")],
  };
  const { originals, lines } = parse(map);
  assert.equal(originals.map(({ url }) => url.slice(-4)), ["a.ts", "b.ts", "c.ts"]);
  assert.equal(lines, [[[0, 0, 0, 0], [5, 1, 0, 0]], [], [[1, 2, 0, 0]]]);
});

maps("a first line that keeps a map from being run is passed over", () => {
  assert.is(parse(`)]}'\n${JSON.stringify(MAP)}`).lines.length, 2);
});

maps("lines that the script does not have are left out, however many", () => {
  assert.is(parse({ ...MAP, mappings: ";".repeat(20_000_000) }, { lines: 3 }).lines.length, 3);
  const far = { offset: { line: 2 ** 40, column: 0 }, map: MAP };
  const near = { offset: { line: 0, column: 0 }, map: MAP };
  assert.equal(parse({ version: 3, sections: [near, far] }, { lines: 3 }).lines.length, 2);
});

const BROKEN: readonly [unknown, string][] = [
  ["", "it is no JSON"],
  ["{", "it is no JSON"],
  [")]}'", "it is no JSON"],
  ["root:x:0:0:root", "it is no JSON"],
  ["[".repeat(100_000), "it is no JSON"],
  ["null", "it is no object"],
  ["[]", "it is no object"],
  ["3", "it is no object"],
  [{}, "its version is undefined, not 3"],
  [{ ...MAP, version: 2 }, "its version is 2, not 3"],
  [{ ...MAP, version: "3" }, 'its version is "3", not 3'],
  [{ ...MAP, sources: undefined }, "its sources are no list of names"],
  [{ ...MAP, sources: [1] }, "its sources are no list of names"],
  [{ ...MAP, mappings: [] }, "it has no mappings"],
  [{ ...MAP, mappings: "AAAA,!" }, "its mappings make no sense at character 6"],
  [{ ...MAP, mappings: "AA" }, "its mappings make no sense at character 3"],
  [{ ...MAP, mappings: "AAAAAA" }, "its mappings make no sense at character 7"],
  [{ ...MAP, mappings: "AAAg" }, "its mappings make no sense at character 5"],
  [{ ...MAP, mappings: "ggggggggA" }, "its mappings make no sense at character 8"],
  [{ ...MAP, mappings: "AAAAé" }, "its mappings make no sense at character 5"],
  [{ ...MAP, mappings: "ACAA" }, "it maps to source 1 of 1"],
  [{ ...MAP, mappings: "ADAA" }, "it maps to source -1 of 1"],
  [{ ...MAP, mappings: "AADA" }, "it maps to a place below 0"],
  [{ ...MAP, mappings: "DAAA" }, "it maps a column below 0"],
  [{ version: 3, sections: {} }, "its sections are no list"],
  [{ version: 3, sections: [1] }, "a section is no object"],
  [
    { version: 3, sections: [{ offset: { line: -1, column: 0 }, map: MAP }] },
    "a section's offset is no place",
  ],
  [{
    version: 3,
    sections: [{ offset: { line: 0, column: 0 }, map: { version: 3, sections: [] } }],
  }, "its sources are no list of names"],
  [
    { version: 3, sections: [{ offset: { line: 0, column: 0 }, map: { ...MAP, version: 1 } }] },
    "a section's version is 1, not 3",
  ],
  [{
    version: 3,
    sections: [{ offset: { line: 1, column: 0 }, map: MAP }, {
      offset: { line: 0, column: 5 },
      map: MAP,
    }],
  }, "its sections are out of order"],
];

maps("a map that is none is refused with the reason, and without what it quotes", () => {
  for (const [map, reason] of BROKEN) {
    assert.throws(
      () => parse(map),
      (error: Error) => error instanceof MapError && error.message === reason,
      `${JSON.stringify(map).slice(0, 100)}: ${reason}`,
    );
  }
});

maps.run();
