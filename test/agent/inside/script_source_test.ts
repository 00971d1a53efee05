import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NODES } from "../../blocks/v8_answers.ts";

const test = suite("agent/inside/script_source");

// This runs in dist/test/agent.
const TEST = fileURLToPath(new URL("../../../../test/", import.meta.url));
const PROGRAM = path.join(TEST, "fixtures/programs/read_sources.cjs");
const AGENT = fileURLToPath(
  new URL("../../../src/agent/inside/script_source.cjs", import.meta.url),
);

const LIBRARIES = [
  "js-yaml/dist/js-yaml.mjs",
  "lodash/lodash.js",
  "express/index.js",
  "ajv/dist/ajv.js",
  "prettier/index.mjs",
  "prettier/plugins/babel.js",
  "marked/lib/marked.esm.js",
  "acorn/dist/acorn.js",
].map((file) => path.join(TEST, "node_modules", file));

/** Files that other programs write differently. */
const FILES: Record<string, string> = {
  "crlf.cjs": "function f(a) {\r\n  return a ? 1 : 2;\r\n}\r\n\r\nf(1);\r\n",
  "cr.cjs": "function f(a) {\r  return a;\r}\r// comment\rf(1);\r",
  "mixed.cjs": "var a = 1;\n\rvar b;\r\r\nvar c;\n\n\r\r\r\n/*\r*/ f = a;\r",
  "separators.cjs":
    "var a = '\u2028', b = \"\u2029\u2028\";\n// one\u2028f = 1; // other\u2029f = 2;\n",
  "template.cjs": "f = `a\r\n\u2028\r${1}\u2029`;",
  "open.cjs": "f = 1",
  "comment.cjs": "f = 1\n// no line end",
  "astral.cjs": "var 𠮷 = '😀'; // 👩‍👩‍👧 é \u00a0\n𠮷 = /😀/u.test(𠮷) ? '𝒳' : 'ÿ';\n",
  "shebang.cjs": "#!/usr/bin/env node\nf = 1;\n",
  "module.mjs": "const a = await Promise.resolve(1);\r\nexport { a as default };\r\nawait (a);\r\n",
  "shebang.mjs": "#!/usr/bin/env node\u2028export default '\u2028';\n",
};

/** The source as V8 reports it: all line ends of one unit look alike. */
const told = (source: string) => source.replace(/\r(?!\n)|[\u2028\u2029]/g, "\n");

function run<T>(node: string, scenario: string, args: string[] = [], flags: string[] = []): T {
  const child = spawnSync(node, [...flags, PROGRAM, AGENT, scenario, ...args], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  assert.equal([child.status, child.stderr], [0, ""]);
  return JSON.parse(child.stdout);
}

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(path.join(tmpdir(), "kcovfs-sources-"));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Loads files and compares all sources that then exist; returns how many. */
function compareFiles(node: string, files: string[]): number {
  const { sources } = run<{ sources: Record<string, string> }>(node, "files", files);
  for (const file of files) assert.type(sources[pathToFileURL(file).href], "string", file);
  for (const [url, source] of Object.entries(sources)) {
    assert.ok(source === told(readFileSync(fileURLToPath(url), "utf8")), url);
  }
  return Object.keys(sources).length;
}

/** Comments full of line ends, of which there are many kinds. */
function randomTexts(count: number): string[] {
  const words = ["a", "\r", "\n", "\u2028", "\u2029", "\r\n", "😀", "é", "'", "//"];
  let seed = 1;
  const random = (below: number) => (seed = seed * 48271 % 0x7fffffff) % below;
  const pick = () => words[random(words.length)];
  return Array.from({ length: count }, (_, i) => {
    const comment = Array.from({ length: random(12) }, pick).join("");
    return `/*${comment}*/f=${i}${["", "\n", "\r", "\r\n", "\u2028", "\r\r"][random(6)]}`;
  });
}

for (const { v8, path: node } of NODES) {
  test(`V8 ${v8} tells libraries as they are on disk`, () => {
    const count = compareFiles(node, LIBRARIES);
    assert.ok(count > 150, `${count} files`);
  });

  test(`V8 ${v8} tells files with rare line ends, a shebang or a top-level await`, () => {
    inFolder((folder) => {
      const files = Object.entries(FILES).map(([name, source]) => {
        const file = path.join(folder, name);
        writeFileSync(file, source);
        return file;
      });
      compareFiles(node, files);
    });
  });

  test(`V8 ${v8} tells sources with any mixture of line ends`, () => {
    inFolder((folder) => {
      const file = path.join(folder, "texts.json");
      const texts = randomTexts(1000);
      writeFileSync(file, JSON.stringify(texts));
      const { sources } = run<{ sources: string[] }>(node, "texts", [file]);
      assert.equal(sources, texts.map(told));
    });
  });

  test(`V8 ${v8} tells sources that were said to begin at another line and column`, () => {
    inFolder((folder) => {
      const file = path.join(folder, "texts.json");
      const texts = ["f = 1", "f = 2;\n\nf = 3;\r\n  f = 4;\n"];
      writeFileSync(file, JSON.stringify(texts));
      const { sources } = run<{ sources: string[][] }>(node, "offsets", [file]);
      assert.equal(sources, Array.from({ length: 5 }, () => texts));
    });
  });

  test(`V8 ${v8} tells an empty source`, () => {
    assert.equal(run(node, "empty"), { sources: ["f = 1", "", "f = 2"], last: 2 });
  });

  test(`V8 ${v8} has no sources of scripts that there are not`, () => {
    assert.equal(run(node, "absent"), { sources: ["f = 1"], none: {} });
  });

  test(`V8 ${v8} goes on counting blocks, and has lost none, after sources were read`, () => {
    const { without, during, after, often, twice } = run<Record<string, string>>(node, "counters");
    assert.ok(without.includes('"count":0') && without.includes('"functionName":"walk"'));
    assert.not.match(without, '"isBlockCoverage":false');
    assert.equal([during, after], [without, without]);
    assert.is(often, twice);
  });

  test(`V8 ${v8} takes its own syntax afterwards if and only if it did before`, () => {
    const off = { before: false, after: false, failed: true, afterFailure: false };
    assert.equal(run(node, "flag"), off);
    const on = { before: true, after: true, failed: true, afterFailure: true };
    assert.equal(run(node, "flag", [], ["--allow-natives-syntax"]), on);
  });
}

test.run();
