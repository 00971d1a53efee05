/**
 * Has the scripts that are loaded from here on compiled with probes in them: those of `require` in all
 * versions by way of `Module.prototype._compile`, which sees what transpilers made of them, too; those of
 * `import` by the loader's hooks.
 */
import type { MessagePort } from "node:worker_threads";

const nodeModule = require("node:module") as NodeModuleApi;
const { MessageChannel } = require("node:worker_threads") as typeof import("node:worker_threads");
const { pathToFileURL } = require("node:url") as typeof import("node:url");
const path = require("node:path") as typeof import("node:path");
const { stripTypes } = require("./strip_types.cjs") as import("./strip_types.cts").Parts;

const { hasWholeHooks } = require("./whole_hooks.cjs") as import("./whole_hooks.cts").Parts;

/** What `node:module` has, of which types of Node 20 know a part. */
interface NodeModuleApi {
  new (id: string): { exports: unknown };
  readonly prototype: { _compile: Compile };
  register(...args: readonly unknown[]): void;
  registerHooks?: (hooks: { load: Load }) => { deregister(): void };
}

type Compile = (content: string, filename: string, ...rest: unknown[]) => unknown;

interface Loaded {
  readonly format?: string | null;
  readonly source?: string | ArrayBuffer | Uint8Array | null;
}

interface LoadContext {
  readonly conditions?: readonly string[];
  readonly importAttributes?: Readonly<Record<string, string>>;
}

type NextLoad = (url: string, context: LoadContext) => Loaded;
type Load = (url: string, context: LoadContext, nextLoad: NextLoad) => Loaded;

/** What a script is compiled as; undefined for as it is. */
type Probe = (script: {
  readonly url: string;
  readonly source: string;
}) => string | undefined;

const { apply } = Reflect;
/** Of a file that there is not. */
const FILE = "/kcovfs.cts";
const decoder = new TextDecoder();

/**
 * @param probe Puts probes into a script.
 * @param options `sendPort`: hands the agent a port by which another thread asks for the same.
 * @returns a function that puts everything back that can be.
 */
function probeLoadedScripts(
  probe: Probe,
  options: { sendPort: (port: MessagePort) => void },
): () => void {
  const { prototype } = nodeModule;
  const compile = prototype._compile;
  const registerHooks = hasWholeHooks() ? nodeModule.registerHooks : undefined;
  const hasHooks = registerHooks !== undefined;
  const ours: Compile = function (this: unknown, content, filename, ...rest) {
    // The hooks have seen modules.
    const isSeen = hasHooks && rest[0] === "module";
    const name = (filename: string) => isNamedByUrl(compile) ? hrefOf(filename) : filename;
    const script = { content, filename, format: rest[0], name };
    const code = isSeen ? undefined : probeCompiled(probe, script);
    return apply(compile, this, [code ?? content, filename, ...rest]);
  };
  prototype._compile = ours;
  const restoreHooks = registerHooks
    ? hookModules(registerHooks, probe)
    : registerThread(options.sendPort);
  return () => {
    if (prototype._compile === ours) prototype._compile = compile;
    restoreHooks();
  };
}

function probeCompiled(
  probe: Probe,
  { content, filename, format, name }: {
    content: unknown;
    filename: string;
    format: unknown;
    /** What Node calls a script whose types it has stripped. */
    name: (filename: string) => string;
  },
): string | undefined {
  if (typeof content !== "string") return undefined;
  const isTyped = typeof format === "string" && format.endsWith("typescript");
  const source = isTyped ? stripTypes(content, name(filename)) : content;
  if (source === undefined) return undefined;
  // As V8 knows it: what is no path may be `[eval]-wrapper`, or whatever a caller of `_compile` says.
  return probe({ url: path.isAbsolute(filename) ? hrefOf(filename) : filename, source });
}

function hrefOf(filename: string): string {
  return pathToFileURL(filename).href;
}

let namedByUrl: boolean | undefined;

/**
 * Whether Node calls a CommonJS file whose types it has stripped by its URL, or, before pull request 63705,
 * by its path: it is given one.
 */
function isNamedByUrl(compile: Compile): boolean {
  if (namedByUrl === undefined) {
    const module = new nodeModule(FILE);
    apply(compile, module, ["exports.stack = new Error().stack", FILE, "commonjs-typescript"]);
    namedByUrl = (module.exports as { stack: string }).stack.includes(hrefOf(FILE));
  }
  return namedByUrl;
}

/** Hooks on this very thread. Ours stay the outermost, to see what others have made. */
function hookModules(
  registerHooks: NonNullable<NodeModuleApi["registerHooks"]>,
  probe: Probe,
): () => void {
  const hooks = {
    load(url: string, context: LoadContext, nextLoad: NextLoad) {
      const loaded = nextLoad(url, context);
      const { source } = loaded;
      if (source === null || source === undefined) return loaded;
      const format = formatOf(url, loaded, context);
      if (format === undefined) return loaded;
      const text = typeof source === "string" ? source : decoder.decode(source);
      const script = isTyped(loaded) ? stripTypes(text, url) : text;
      const code = script === undefined ? undefined : probe({ url, source: script });
      return code === undefined ? loaded : { ...loaded, ...format, source: code };
    },
  };
  let registered = registerHooks(hooks);
  const ours: typeof registerHooks = (others) => {
    registered.deregister();
    const result = registerHooks(others);
    registered = registerHooks(hooks);
    return result;
  };
  nodeModule.registerHooks = ours;
  return () => {
    if (nodeModule.registerHooks === ours) nodeModule.registerHooks = registerHooks;
    registered.deregister();
  };
}

/**
 * What is said of the format of a script with probes, if it is to get some here. CommonJS comes to `_compile`;
 * before pull request 62920, which did away with a property, what has types does not where it is imported.
 */
function formatOf(url: string, loaded: Loaded, context: LoadContext): Partial<Loaded> | undefined {
  switch (loaded.format) {
    case "module":
      return {};
    case "module-typescript":
      return { format: "module" };
    case "commonjs-typescript":
      return "shouldBeReloadedByCJSLoader" in loaded && context.conditions?.includes("import")
        ? { format: "commonjs" }
        : undefined;
  }
  return isDenoScript(url, loaded, context) ? {} : undefined;
}

function isTyped({ format }: Loaded): boolean {
  return format === "module-typescript" || format === "commonjs-typescript";
}

/** Deno says nothing of formats. Its TypeScript comes as what it has made of it. */
function isDenoScript(url: string, { format, source }: Loaded, context: LoadContext): boolean {
  const isText = "Deno" in globalThis && !format && typeof source === "string";
  return isText && !context.importAttributes?.["type"] && !/\.(?:json|wasm|node)$/.test(url);
}

/**
 * Elsewhere modules are loaded by a thread of Node's own, which asks by itself. Ours stay the outermost there,
 * too: the last that are registered are.
 */
function registerThread(sendPort: (port: MessagePort) => void): () => void {
  const { register } = nodeModule;
  let count = 0;
  const add = () => {
    const { port1, port2 } = new MessageChannel();
    sendPort(port1);
    const hooks = pathToFileURL(path.join(__dirname, "module_hooks.js"));
    // Another module each time: see there.
    if (count++ > 0) hooks.search = `?${count}`;
    const options = { data: { port: port2 }, transferList: [port2] };
    apply(register, nodeModule, [hooks.href, options]);
  };
  add();
  const ours: typeof register = function (this: unknown, ...given) {
    const result = apply(register, this, given);
    add();
    return result;
  };
  nodeModule.register = ours;
  return () => {
    if (nodeModule.register === ours) nodeModule.register = register;
  };
}

const parts = { probeLoadedScripts };
module.exports = parts;
export type Parts = typeof parts;
