/** Folders of `src` know only those below them, as the table of `docs/architecture.md` says. */
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const architecture = suite("architecture");

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SRC = path.join(ROOT, "src");
/** A row of the table: a folder, its contents, and the folders that it may import from. */
const ROW = /^\| `src\/(\w+)`\s*\|[^|]*\|([^|]*)\|$/gm;
/** A path relative to the file it stands in, in imports, `require` and `new URL`. */
const PATH = /["'](\.{1,2}\/[^"'\n]+\.[cm]?[jt]s)["']/g;

function allowed(): Map<string, readonly string[]> {
  const text = readFileSync(path.join(ROOT, "docs/architecture.md"), "utf8");
  return new Map(
    [...text.matchAll(ROW)].map(([, folder, names]) => [
      folder,
      [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    ]),
  );
}

/** `from to file` of each file of `src` that names one of another folder. */
function arrows(): { from: string; to: string; file: string }[] {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" });
  return files.filter((file) => /\.c?ts$/.test(file)).flatMap((file) => {
    const text = readFileSync(path.join(SRC, file), "utf8");
    const [from] = file.split("/");
    return [...text.matchAll(PATH)].flatMap(([, named]) => {
      const [to, ...rest] = path.join(path.dirname(file), named).split("/");
      return to === from || to === ".." || rest.length === 0 ? [] : [{ from, to, file }];
    });
  });
}

architecture("the table has each folder of src, and src holds folders only", () => {
  const entries = readdirSync(SRC, { withFileTypes: true });
  assert.equal(entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name), []);
  assert.equal([...allowed().keys()].sort(), entries.map(({ name }) => name).sort());
});

architecture("no file imports from a folder that the table does not give it", () => {
  const table = allowed();
  const found = arrows();
  assert.ok(found.length > 100, "the imports are seen");
  assert.equal(found.filter(({ from, to }) => !table.get(from)?.includes(to)), []);
});

architecture("the table has no arrow that nobody needs, and no circle", () => {
  const table = allowed();
  const found = arrows();
  for (const [from, names] of table) {
    for (const to of names) {
      assert.ok(found.some((arrow) => arrow.from === from && arrow.to === to), `${from} to ${to}`);
    }
  }
  // Each folder stands below all that use it, so going up always ends.
  const rest = new Set(table.keys());
  for (let before = -1; before !== rest.size;) {
    before = rest.size;
    for (const folder of rest) {
      if (!table.get(folder)!.some((name) => rest.has(name))) rest.delete(folder);
    }
  }
  assert.equal([...rest], [], "these use each other");
});

/** The files of ours, and the packages, that a built file loads when it is loaded or later. */
function loads(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const named = /(?:\bfrom|\bimport|\brequire\(|\bimport\()\s*["']([^"'\n]+)["']/g;
  return [...text.matchAll(named)].map(([, name]) => name);
}

architecture(
  "what is loaded into a target loads no checker of schemas, which takes its time",
  () => {
    const built = fileURLToPath(new URL("../src", import.meta.url));
    const agent = path.join(built, "agent");
    const waiting = readdirSync(agent, { recursive: true, encoding: "utf8" })
      .filter((file) => /\.c?js$/.test(file))
      .map((file) => path.join(agent, file));
    const seen = new Set<string>();
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (seen.has(file)) continue;
      seen.add(file);
      for (const name of loads(file)) {
        assert.is.not(name, "valibot", path.relative(built, file));
        if (/^\.{1,2}\/.*\.c?js$/.test(name)) waiting.push(path.join(path.dirname(file), name));
      }
    }
    const names = [...seen].map((file) => path.relative(built, file));
    assert.ok(names.includes("messages/protocol.js"), "what it loads of other folders is seen");
  },
);

architecture("each step of the three ways names what its file has", () => {
  const text = readFileSync(path.join(ROOT, "docs/architecture.md"), "utf8");
  const ways = text.split(/^### /m).slice(1);
  assert.is(ways.length, 3);
  for (const way of ways) {
    const steps = [...way.matchAll(/^\d+\. (?:`([\w/.]+)` (`[^:]+`):)?/gm)];
    assert.ok(steps.length > 10 && steps.length <= 15, way.split("\n")[0]);
    for (const [step, file, names] of steps) {
      if (!file) continue;
      const code = readFileSync(path.join(SRC, file), "utf8");
      for (const [, name] of names.matchAll(/`([^`]+)`/g)) {
        const defined = new RegExp(`(?:^|[ #])${name}(?:<[^>]*>)?\\(|const ${name}\\b`, "m");
        assert.match(code, defined, step);
      }
    }
  }
});

architecture.run();
