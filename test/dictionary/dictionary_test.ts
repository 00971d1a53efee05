import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dictionaryText, makeDictionary } from "../../src/dictionary/dictionary.ts";
import { patternSamples } from "../../src/dictionary/pattern_samples.ts";

const dictionary = suite("dictionary");

/** The entries of a script, as latin1. */
function entries(...sources: string[]): string[] {
  return makeDictionary(sources).entries.map((bytes) => Buffer.from(bytes).toString("latin1"));
}

dictionary("texts are ranked by how near to a decision they stand", () => {
  const found = entries(`
    import { helper } from "./some_module.js";
    const title = "plain text";
    const words = ["element"];
    if (kind === "compared") throw new TypeError("Cannot go on");
    console.log("logged");
  `);
  assert.equal(
    found,
    ["compared", "element", "plain text", "Cannot go on"].flatMap((text) =>
      text === "Cannot go on" ? ["logged", text] : [text]
    ),
  );
});

for (
  const [what, source, words] of [
    ["both sides of comparisons", `x == "ab"; "cd" !== y; z < "ef"`, ["ab", "cd", "ef"]],
    ["case labels", `switch (x) { case "ab": f("zz"); case "cd": }`, ["ab", "cd"]],
    ["what a text is searched for", `x.startsWith("ab"), y.indexOf("cd")`, ["ab", "cd"]],
    ["patterns of tests", `if (/^ab$/.test(x) || y.match(/cd/)) f()`, ["ab", "cd"]],
    ["characters one after the other", `x[0] === "D" && x[1] === "O" && x[2] === "C"`, ["DOC"]],
    ["codes of characters", `a === 68 && (b === 79 && c === 67) && d`, ["DOC"]],
  ] as const
) {
  dictionary(`${what} are the nearest`, () => {
    const found = entries(`const other = ["zy"], key = "zx"; ${source}`);
    assert.equal(found.slice(0, words.length).sort(), [...words]);
  });
}

dictionary("keys, template pieces and pieces of lists are found", () => {
  const found = entries(`x = { amp: 1, "quot": 2, [\`lt\${y}gt\`]: new Set(["nbsp"]) }`);
  assert.equal(found.sort(), ["amp", "gt", "lt", "nbsp", "quot"]);
});

dictionary("a magic is found in both byte orders of its width", () => {
  assert.equal(entries("x === 0x89504e47"), ["\x89PNG", "GNP\x89"]);
  assert.equal(entries("y = 0xcafe"), ["\xca\xfe", "\xfe\xca"]);
  assert.equal(entries("y = 0x0102030405060708n").at(0), "\x01\x02\x03\x04\x05\x06\x07\x08");
});

dictionary("small and decimal numbers, and those that are not integers, are no magics", () => {
  assert.equal(entries("x = 5; y = 65536; z = 0x10; x === 200; y = 1e300; z = 0.5"), []);
});

dictionary("a list of bytes is a text", () => {
  assert.equal(entries("const sign = [0x89, 80, 78, 71, 13, 10, 26, 10]")[0], "\x89PNG\r\n\x1a\n");
  assert.equal(entries("const mixed = [1, 2, 300, 4]"), []);
});

dictionary(
  "each entry is there once, the rare ones before the frequent, the short before the long",
  () => {
    const found = entries(`a === "often"; b === "often"; c === "seldom"; d === "once"`);
    assert.equal(found, ["once", "seldom", "often"]);
  },
);

dictionary("what is short or long is left out", () => {
  assert.equal(entries(`x === "a" || x === "${"b".repeat(65)}"`), []);
});

dictionary("there are not more entries than asked for", () => {
  const source = Array.from({ length: 600 }, (_, i) => `x === "word${i}"`).join(";");
  assert.is(entries(source).length, 512);
  assert.is(makeDictionary([source], { most: 3 }).entries.length, 3);
});

dictionary("modules and CommonJS files are read, and what is neither is counted", () => {
  assert.equal(entries(`export const x = y === "ab"`, `return x === "cd"`), ["ab", "cd"]);
  assert.equal(makeDictionary(["((", `x === "ab"`]).unread, 1);
});

dictionary("sentences and names of types come last", () => {
  const found = entries(
    `typeof x === "string"; f("that is no name", "zz"); y === "this is compared"`,
  );
  assert.equal(found, ["this is compared", "zz", "string", "that is no name"]);
});

dictionary("the text that a RegExp is made of is a pattern", () => {
  assert.equal(entries(`new RegExp("^(ab|cd)$")`), ["ab", "cd"]);
});

dictionary("names of modules and directives are left out", () => {
  assert.equal(entries(`"use strict"; require("node:fs"); import("./that.js")`), []);
});

dictionary("the text is that of AFL++ and libFuzzer", () => {
  const bytes = Buffer.from('a"\\\n\xff', "latin1");
  assert.is(dictionaryText([bytes, Buffer.from("<!--")]), '"a\\"\\\\\\x0a\\xff"\n"<!--"\n');
});

for (
  const [pattern, ...wanted] of [
    ["^(?:get|put)\\s+(\\d+)$", "get 0", "put 0", "get", "put"],
    ["<!DOCTYPE\\b", "<!DOCTYPE"],
    ["[a-z]{3}-x", "aaa-x", "-x"],
    ["[^a]b?cd*", "0bcd"],
    ["a(?!bad)(?<name>good|fine)", "agood", "afine"],
    ["\\x41\\u0042\\u{43}\\/\\.", "ABC/."],
    ["&#x?\\p{L};", "&#xa;"],
    ["(", ""],
    ["[", ""],
    ["\\", ""],
  ]
) {
  dictionary(`of the pattern ${pattern} samples are made`, () => {
    const samples = patternSamples(pattern);
    for (const text of wanted) assert.ok(samples.includes(text), `${text} in ${samples}`);
  });
}

dictionary("a pattern of many ways, or nested deeply, has few samples", () => {
  assert.ok(patternSamples("(?:a|b|c|d)".repeat(20)).length < 100);
  assert.ok(patternSamples("(".repeat(5000)).length < 100);
});

dictionary.run();
