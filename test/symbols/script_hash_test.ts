import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scriptHash } from "../../src/symbols/script_hash.ts";

const hash = suite("symbols/script_hash");

hash("a source has one hash, in every version that makes the same tables", () => {
  // Changes with the version of tables, which gives all scripts new PCs.
  assert.is(
    scriptHash("const a = 1;\n"),
    "e65a7129c5483e7d3200ffcd8511dd2b96c70c49cefc65c363c374fd98510ecb",
  );
});

hash("line ends of one unit are one, whichever they are", () => {
  const [first, ...others] = ["\n", "\r", "\u2028", "\u2029"].map((end) =>
    scriptHash(`a${end}b${end}`)
  );
  assert.ok(others.every((other) => other === first));
});

hash("line ends of two units are others", () => {
  assert.is.not(scriptHash("a\r\nb"), scriptHash("a\nb"));
  assert.is.not(scriptHash("a\r\nb"), scriptHash("a\n\nb"));
  assert.is(scriptHash("a\r\r\nb"), scriptHash("a\n\r\nb"));
});

hash("all other text tells sources apart", () => {
  const sources = ["", " ", "\n", "a", "A", "é", "e\u0301", "\ufeffa", "\u0085", "a\0b", "𝒳"];
  assert.is(new Set(sources.map(scriptHash)).size, sources.length);
});

hash.run();
