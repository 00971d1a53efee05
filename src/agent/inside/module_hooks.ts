/**
 * The loader's hooks for the modules of a target where they are loaded by a thread of Node's own, as on Node
 * 20: has them compiled with probes in them.
 *
 * They are registered anew, under another URL, after each that the program registers. What transpilers among
 * those make is known to the last only, and the others stand aside.
 */
import { createRequire } from "node:module";
import type { MessagePort } from "node:worker_threads";

const require = createRequire(import.meta.url);
const { stripTypes } = require("./strip_types.cjs") as import("./strip_types.cts").Parts;
const { defineProbeFunctions } = require(
  "./probe_functions.cjs",
) as import("./probe_functions.cts").Parts;
const { CONTROL_SIZE } = require(
  "../../messages/memory.cjs",
) as import("../../messages/memory.cts").Memory;

interface Loaded {
  readonly format: string | null | undefined;
  readonly source?: string | ArrayBuffer | Uint8Array | null;
}

interface Answer {
  readonly id: number;
  readonly code: string | undefined;
}

/** What gets probes here, and what it is then. Of CommonJS that is what Node itself does not `require`. */
const FORMATS: ReadonlyMap<unknown, string> = new Map([
  ["module", "module"],
  ["module-typescript", "module"],
  ["commonjs-typescript", "commonjs"],
]);
const decoder = new TextDecoder();
/** Where this file is. */
const OURS = new URL(".", import.meta.url).href;
/** Under this name this thread knows the URL of the last. */
const LAST = Symbol.for("kcovfs.hooks");
const asked = new Map<number, (code: string | undefined) => void>();
let port: MessagePort | undefined;
let nextId = 1;

/** Called by Node, once. `port` leads to the agent's worker. */
export function initialize(data: { readonly port: MessagePort }): void {
  // The user's own hooks come by here, too, and run on this thread, which is not measured.
  const nothing = () => {};
  if (!(LAST in globalThis)) {
    defineProbeFunctions(new Int32Array(CONTROL_SIZE / 4), { hit: nothing, compare: nothing });
  }
  port = data.port;
  Object.defineProperty(globalThis, LAST, { value: import.meta.url, configurable: true });
  port.on("message", ({ id, code }: Answer) => {
    asked.get(id)?.(code);
    asked.delete(id);
  });
  port.on("close", () => {
    port = undefined;
    for (const resolve of asked.values()) resolve(undefined);
    asked.clear();
  });
  port.unref();
}

/** Called by Node for each module. */
export async function load(
  url: string,
  context: object,
  nextLoad: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> {
  const loaded = await nextLoad(url, context);
  const { source } = loaded;
  const format = FORMATS.get(loaded.format);
  const isLast = (globalThis as Record<symbol, unknown>)[LAST] === import.meta.url;
  if (!isLast || url.startsWith(OURS)) return loaded;
  if (!format || source === null || source === undefined || !port) return loaded;
  const text = typeof source === "string" ? source : decoder.decode(source);
  const script = format === loaded.format ? text : stripTypes(text, url);
  const code = script === undefined ? undefined : await ask({ url, source: script });
  return code === undefined ? loaded : { ...loaded, format, source: code };
}

function ask(script: { url: string; source: string }): Promise<string | undefined> {
  const id = nextId++;
  port!.ref();
  return new Promise<string | undefined>((resolve) => {
    asked.set(id, resolve);
    port!.postMessage({ id, script });
  }).finally(() => {
    if (asked.size === 0) port?.unref();
  });
}
