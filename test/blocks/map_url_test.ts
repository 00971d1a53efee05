import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findMapUrl } from "../../src/blocks/map_url.ts";

const urls = suite("blocks/map_url");

const FOUND: readonly [string, string][] = [
  ["f();\n//# sourceMappingURL=a.map", "a.map"],
  ["f();\n//@ sourceMappingURL=a.map\n", "a.map"],
  ["f(); //# sourceMappingURL=a.map", "a.map"],
  ["f();\n//#\tsourceMappingURL=a.map \t\r\n\r\n", "a.map"],
  ["f();\n/*# sourceMappingURL=a.map */", "a.map"],
  ["f();\n//# sourceMappingURL=a.map\n\n//# sourceURL=file:///a.js", "a.map"],
  ["f();\n//# sourceMappingURL=a.map\n/* b\n */ // c", "a.map"],
  ["f();\n//# sourceMappingURL=a.map\n// as sourceMappingURL= says", "a.map"],
  ["//# sourceMappingURL=a.map\n//# sourceMappingURL=b.map", "b.map"],
  ["//# sourceMappingURL=data:application/json;base64,e30=", "data:application/json;base64,e30="],
  ["//# sourceMappingURL=größe/😀.map\u2028", "größe/😀.map"],
];

const NOT_FOUND: readonly string[] = [
  "",
  "f();",
  "//# sourceMappingURL=",
  "//#sourceMappingURL=a.map",
  "// sourceMappingURL=a.map",
  "//# sourceMappingURL=a b.map",
  '//# sourceMappingURL="a.map"',
  "//# sourceMappingURL=a.map\nf();",
  "//# sourceMappingURL=a.map\n/* b",
  "/*# sourceMappingURL=a.map",
  "const text = `\n//# sourceMappingURL=a.map\n`;",
  "//# SourceMappingURL=a.map",
];

urls("the last comment says where the map is", () => {
  for (const [source, url] of FOUND) assert.is(findMapUrl(source), url, JSON.stringify(source));
});

urls("what is no such comment, or has code after it, says nothing", () => {
  for (const source of NOT_FOUND) assert.is(findMapUrl(source), undefined, JSON.stringify(source));
});

urls("a source that is made to take long does not", () => {
  const comment = "//# sourceMappingURL=a.map\n";
  const began = performance.now();
  const tails = ["/**/", "/* */ */", "// \n", " ", "\n", "//# sourceMappingURL=a b\n", "/*/*"];
  for (const tail of tails) findMapUrl(`${comment}${tail.repeat(300_000)}x`);
  findMapUrl(`${"sourceMappingURL=".repeat(300_000)}`);
  assert.ok(performance.now() - began < 2000, `${performance.now() - began} ms`);
});

urls.run();
