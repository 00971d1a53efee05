/**
 * One cell of `slowdown_bench.ts`: `slowdown_subject LIBRARY VARIANT`, on the Node that is measured. Prints
 * ms of the thread's own time that the library's work takes, and how often probes were hit.
 */
import { createRequire } from "node:module";
import { compileFunction } from "node:vm";
import { pathToFileURL } from "node:url";
import { prepare } from "../src/probes/prepare.ts";
import { type AreaOptions, ProbesAlone } from "./probes_alone.ts";
import { readScript, SLOWDOWN_LIBRARIES } from "./slowdown_libraries.ts";
import { threadClock } from "./thread_time.ts";

type Instrument = (script: { readonly path: string; readonly source: string }) => string;

/** ns of the thread's own time; the second half of it counts. */
const DURATION = 1e9;
const FIRST_PC = -2126008808;

const AREAS: Readonly<Record<string, readonly AreaOptions[]>> = {
  "no instance": [],
  "one instance": [{}],
  "comparisons": [{ takesComparisons: true }],
};

const require = createRequire(import.meta.url);

function withProbes({ path, source }: { path: string; source: string }): string {
  const url = pathToFileURL(path).href;
  return prepare(source, { isModule: false }).emit({ firstPc: FIRST_PC, url }).code;
}

/** @param isWhole Whether comparisons have their hooks, too. */
function withJazzer({ isWhole }: { isWhole: boolean }): Instrument {
  const { Instrumentor } = require("../../bench/jazzer.cjs");
  if (!isWhole) {
    const plugins = require(
      "../../bench/node_modules/@jazzer.js/instrumentor/dist/plugins/compareHooks",
    );
    plugins.compareHooks = () => ({ visitor: {} });
  }
  const instrumentor = new Instrumentor(["*"]);
  return ({ path, source }) => instrumentor.instrument(source, path).code;
}

function load(file: string, instrument: Instrument): unknown {
  const script = readScript(file);
  const module = { exports: {} };
  const code = instrument(script);
  const wrapper = compileFunction(code, ["exports", "module", "require"], {
    filename: script.path,
  });
  wrapper(module.exports, module, createRequire(script.path));
  return module.exports;
}

/** @param before Called before each turn. */
async function timeOf(work: () => unknown, before: () => void): Promise<number> {
  const clock = threadClock();
  const times: number[] = [];
  for (const start = clock(); clock() - start < DURATION;) {
    before();
    const began = clock();
    await work();
    times.push(clock() - began);
  }
  const late = times.slice(times.length >> 1).sort((a, b) => a - b);
  return late[late.length >> 1] / 1e6;
}

async function measure(library: string, variant: string): Promise<{ ms: number; hits: number }> {
  const { files, prepare: prepareWork } = SLOWDOWN_LIBRARIES[library];
  if (!(variant in AREAS)) {
    const isPlain = variant === "plain";
    const jazzer = isPlain ? undefined : withJazzer({ isWhole: variant === "Jazzer.js" });
    const instrument: Instrument = jazzer ?? (({ source }) => source);
    const work = prepareWork(files.map((file) => load(file, instrument)));
    return { ms: await timeOf(work, () => {}), hits: 0 };
  }
  await using probes = await ProbesAlone.start();
  await probes.write(AREAS[variant]);
  const work = prepareWork(files.map((file) => load(file, withProbes)));
  return { ms: await timeOf(work, () => probes.reset()), hits: probes.count };
}

const [library, variant] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await measure(library, variant))}\n`);
