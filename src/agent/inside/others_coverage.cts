/**
 * Makes the coverage that Node writes for others (`NODE_V8_COVERAGE`) describe scripts as they were written,
 * not ours. Node writes it where no JavaScript runs any more, so it is asked to write before. The file that
 * Node then writes itself has nothing of the program: V8 leaves out scripts of which nothing was executed
 * since.
 */
const fs = require("node:fs") as typeof import("node:fs");
const path = require("node:path") as typeof import("node:path");
const v8 = require("node:v8") as typeof import("node:v8");
const { fileURLToPath, pathToFileURL } = require("node:url") as typeof import("node:url");
const { threadId } = require("node:worker_threads") as typeof import("node:worker_threads");
const { onExit } = require("./on_exit.cjs") as import("./on_exit.cts").Parts;

/** The agent's folder. */
const OURS = pathToFileURL(path.join(__dirname, "../..", path.sep)).href;

type Texts = InstanceType<import("./written_texts.cts").Parts["WrittenTexts"]>;

interface Range {
  startOffset: number;
  endOffset: number;
}

/** V8's report of a script. */
interface Script {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

/** @returns a function that puts everything back. */
function mendOthersCoverage(texts: Texts): () => void {
  const folder = process.env["NODE_V8_COVERAGE"];
  if (!folder) return () => {};
  const { takeCoverage } = v8;
  const where = path.resolve(folder);
  const mend = () => {
    const known = new Set(filesIn(where));
    takeCoverage();
    for (const file of filesIn(where)) if (!known.has(file)) mendFile(file, texts);
  };
  v8.takeCoverage = mend;
  let isDone = false;
  const restore = onExit(() => {
    if (isDone) return;
    isDone = true;
    mend();
  });
  return () => {
    restore();
    if (v8.takeCoverage === mend) v8.takeCoverage = takeCoverage;
  };
}

/** The coverage files of this thread. */
function filesIn(folder: string): string[] {
  try {
    const own = new RegExp(`^coverage-${process.pid}-\\d+-${threadId}\\.json$`);
    return fs.readdirSync(folder).filter((name) => own.test(name))
      .map((name) => path.join(folder, name));
  } catch {
    return [];
  }
}

function mendFile(file: string, texts: Texts): void {
  try {
    const coverage = JSON.parse(fs.readFileSync(file, "utf8")) as { result: Script[] };
    coverage.result = coverage.result.filter(({ url }) => !url.startsWith(OURS));
    for (const script of coverage.result) mendScript(script, texts);
    fs.writeFileSync(file, JSON.stringify(coverage));
  } catch {
    // The file stays as it is.
  }
}

function mendScript({ url, functions }: Script, texts: Texts): void {
  const named = texts.named(url.startsWith("file:") ? fileURLToPath(url) : url);
  const text = named[named.length - 1];
  if (!text) return;
  for (const { ranges } of functions) {
    for (const range of ranges) {
      range.startOffset = text.offset(range.startOffset);
      range.endOffset = text.offset(range.endOffset);
    }
  }
}

const parts = { mendOthersCoverage };
module.exports = parts;
export type Parts = typeof parts;
