import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findSourceUrl } from "../../src/blocks/source_url.ts";

const sourceUrl = suite("blocks/source_url");

sourceUrl("the last comment names a script", () => {
  assert.is(
    findSourceUrl("1;\n//# sourceURL=a.js\n2;\n//@ sourceURL=file:///b.js \n3;"),
    "file:///b.js",
  );
});

sourceUrl("what V8 does not take for a name is none", () => {
  for (
    const text of ["1", "// sourceURL=a", "//# sourceURL=a b", "//# sourceURL=", "sourceURL=a"]
  ) {
    assert.is(findSourceUrl(text), undefined, text);
  }
});

sourceUrl.run();
