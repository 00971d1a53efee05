/** Prepares an isolate of the target for scripts with probes. */
import type { Script as VmScript } from "node:vm";
import type { MessagePort } from "node:worker_threads";

const { Script } = require("node:vm") as typeof import("node:vm");
const { MessageChannel } = require("node:worker_threads") as typeof import("node:worker_threads");
const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;
const { makeProbes, WINDOW_SIZE, BLOCKS } = require("./probes.cjs") as import("./probes.cts").Parts;
const { askForProbes } = require("./ask_for_probes.cjs") as import("./ask_for_probes.cts").Parts;
const { findInternals } = require("./internals.cjs") as import("./internals.cts").Parts;
const { mendFunctionTexts } = require(
  "./function_texts.cjs",
) as import("./function_texts.cts").Parts;
const { GivenTexts } = require("./given_text.cjs") as import("./given_text.cts").Parts;
const { MadeScripts, probeFunctions } = require(
  "./made_scripts.cjs",
) as import("./made_scripts.cts").Parts;
const { mendOthersCoverage } = require(
  "./others_coverage.cjs",
) as import("./others_coverage.cts").Parts;
const { probeVmScripts } = require("./vm_scripts.cjs") as import("./vm_scripts.cts").Parts;
const { probeLoadedScripts } = require(
  "./loaded_scripts.cjs",
) as import("./loaded_scripts.cts").Parts;
const { declareInContext, declareProbeFunctions, evals, makeProbeFunctions } = require(
  "./probe_functions.cjs",
) as import("./probe_functions.cts").Parts;
const { mendStackTraces } = require("./stack_traces.cjs") as import("./stack_traces.cts").Parts;
const { isWhole, WrittenTexts } = require(
  "./written_texts.cjs",
) as import("./written_texts.cts").Parts;

type Internals = import("./internals.cts").Internals;
type LoadedScript = Parameters<Parameters<typeof probeLoadedScripts>[0]>[0];
type LiveParts = import("./live_edits.cts").LiveParts;
type EvalCode = (pc: number, code: unknown) => unknown;

/** The isolate's parts for the agent's worker, and the function that begins. */
interface Tracing {
  readonly window: { readonly address: bigint; readonly size: number };
  readonly blocks: { readonly address: bigint; readonly size: number };
  /** The port by which the agent is asked for scripts with probes. */
  readonly port: MessagePort;
  readonly live: LiveParts;
  /**
   * Gives probes to scripts that are loaded from here on.
   *
   * @param threadText The text that the isolate runs, if it is a worker thread that runs a text.
   * @returns a function that puts back what can be put back: scripts that have probes keep them.
   */
  readonly begin: (threadText?: string) => () => void;
}

/**
 * Where what stays for good is found again, by an agent that comes after another: what probes call, with the memory
 * that it reads, and what is known of scripts.
 */
const KEPT = Symbol.for("kcovfs.probes");
interface Kept {
  readonly control: Int32Array;
  readonly probes: ReturnType<typeof makeProbes>;
  readonly live: LiveParts;
  /** Whether probes find what they call. */
  isDeclared: boolean;
  evalCode: EvalCode;
}

function findKept(): Kept | undefined {
  return (globalThis as Record<symbol, unknown>)[KEPT] as Kept | undefined;
}

/** An isolate's memory, emptied, where it had probes before. */
function keptControl(): Int32Array | undefined {
  const control = findKept()?.control;
  if (!control) return undefined;
  const { generation, areas } = memory.CONTROL;
  // Probes remember the areas of a generation.
  for (let word = 0; word < areas; word++) if (word !== generation) control[word] = 0;
  return control;
}

function makeKept(control: Int32Array): Kept {
  const live = { leftovers: new Set<string>(), texts: undefined };
  const evalCode: EvalCode = (_, code) => code;
  return { control, probes: makeProbes(control), live, isDeclared: false, evalCode };
}

/**
 * Makes an isolate ready.
 *
 * @param main The memory of the process's main thread.
 * @throws when the native library cannot be loaded.
 */
function startTracing(control: Int32Array, main: Int32Array): Tracing {
  const found = findKept();
  const kept = found?.control === control ? found : makeKept(control);
  const { probes } = kept;
  const { port1, port2 } = new MessageChannel();
  const ask = askForProbes(control, { port: port1, main });
  return {
    window: { address: probes.address, size: WINDOW_SIZE },
    blocks: { address: probes.blocks, size: BLOCKS },
    port: port2,
    live: kept.live,
    begin(threadText) {
      const internals = findInternals();
      const begin = internals ? beginAsWritten : beginWithMaps;
      return begin({ control, kept, ask, internals, threadText });
    },
  };
}

interface Beginning {
  readonly control: Int32Array;
  readonly kept: Kept;
  readonly ask: ReturnType<typeof askForProbes>;
  readonly internals: Internals | undefined;
  readonly threadText: string | undefined;
}

/** Shows the program its scripts as they were written. */
function beginAsWritten({ control, kept, ask, internals, threadText }: Beginning): () => void {
  const isFirst = kept.live.texts === undefined;
  const texts = kept.live.texts ??= new WrittenTexts();
  const made = new MadeScripts(ask, texts);
  kept.evalCode = (pc, code) => made.evalCode(pc, code);
  const evalCode: EvalCode = (pc, code) => kept.evalCode(pc, code);
  const functions = makeProbeFunctions(control, { ...kept.probes, evalCode });
  declare(functions, kept);
  const probe = ({ url, source, name, wrapper }: LoadedScript): string | undefined => {
    const probed = ask({ url, source });
    if (isWhole(probed)) texts.add(probed, { names: [name, url], wrapper });
    return probed?.code;
  };
  const prepare = (_: object, run: (script: VmScript) => unknown): void => {
    const theirs = run(new Script("eval", { filename: "node:kcovfs" }));
    const own = declareInContext({ ...functions, ...evals(evalCode, theirs) }, run);
    mendFunctionTexts(Object.getPrototypeOf(own), texts);
  };
  const { require } = internals!;
  const given = new GivenTexts((script) => made.code(script), { require, threadText });
  // Scripts with probes stay as long as the isolate, and so do these.
  if (isFirst) {
    mendStackTraces(internals!, texts);
    mendFunctionTexts(Function.prototype, texts);
  }
  const undo = [
    probeVmScripts((script) => made.code(script), prepare),
    probeFunctions(made),
    mendOthersCoverage(texts),
    probeLoadedScripts(probe, { internals: internals!, given }),
  ];
  return () => {
    undo.forEach((step) => step());
    kept.evalCode = (_, code) => code;
    keep(kept);
  };
}

/** Another agent may come. */
function keep(kept: Kept): void {
  Object.defineProperty(globalThis, KEPT, { value: kept, configurable: true });
}

/** The functions stay for good, so a process without a server does not get them. */
function declare(functions: ReturnType<typeof makeProbeFunctions>, kept: Kept): void {
  delete (globalThis as Record<symbol, unknown>)[KEPT];
  if (kept.isDeclared) return;
  kept.isDeclared = true;
  const run = (script: VmScript) => void script.runInThisContext();
  declareProbeFunctions(functions, { global: globalThis, run });
}

/** Makes stack traces show the original positions, by source maps. Deno's do so anyhow. */
function beginWithMaps({ control, kept, ask }: Beginning): () => void {
  declare(makeProbeFunctions(control, kept.probes), kept);
  const { sourceMapsEnabled, setSourceMapsEnabled } = process as Partial<NodeJS.Process>;
  setSourceMapsEnabled?.(true);
  const probe = ({ url, source }: LoadedScript) => ask({ url, source, wantsMap: true })?.code;
  const restore = probeLoadedScripts(probe);
  return () => {
    restore();
    keep(kept);
    if (!sourceMapsEnabled) setSourceMapsEnabled?.(false);
  };
}

const parts = { keptControl, startTracing };
module.exports = parts;
export type Parts = typeof parts;
