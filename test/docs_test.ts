/** The documents: their links lead somewhere, and the README stays short. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Bytes. */
const LONGEST_README = 10_000;

const docs = suite("the documents");

/** All documents, by their paths in the repository. */
function findDocuments(): string[] {
  const inFolder = (folder: string) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md") && !path.includes("node_modules"))
      .map((path) => join(folder, path));
  return ["README.md", "CHANGELOG.md", ...inFolder("docs"), ...inFolder("examples")];
}

/** A document without its blocks of code. */
function readProse(path: string): string {
  return readFileSync(path, "utf8").replace(/^ *```.*?^ *```$/gms, "");
}

/** The anchors that GitHub makes of a document's headings. */
function anchorsOf(path: string): string[] {
  return [...readProse(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")
  );
}

/** The links of a document that lead into this repository: the file and the anchor. */
function linksOf(path: string): { link: string; file: string; anchor?: string }[] {
  return [...readProse(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [to, anchor] = link.split("#");
      return { link, file: to === "" ? path : join(dirname(path), to), anchor };
    });
}

docs("each link leads to a file that there is, and to a heading in it", () => {
  const found = findDocuments().flatMap((document) =>
    linksOf(join(ROOT, document)).map((link) => ({ document, ...link }))
  );
  assert.ok(found.length > 50, `only ${found.length} links were found`);
  const dead = found.filter(({ file, anchor }) =>
    !existsSync(file) || anchor !== undefined && !anchorsOf(file).includes(anchor)
  );
  assert.equal(dead.map(({ document, link }) => `${document}: ${link}`), []);
});

docs("the README can be read in some minutes, and leads to each of the documents", () => {
  const readme = join(ROOT, "README.md");
  assert.ok(statSync(readme).size <= LONGEST_README, `${statSync(readme).size} bytes`);
  const led = new Set(linksOf(readme).map(({ file }) => relative(ROOT, file)));
  const others = findDocuments().filter((document) => document.startsWith("docs/"));
  assert.equal(others.filter((document) => !led.has(document)), []);
});

docs.run();
