/**
 * Compiles the scripts that are loaded from here on with probes in them. Those of `require` come through
 * `Module.prototype._compile` in all versions, which also sees the output of transpilers. Those of `import`
 * come where Node's loader compiles them, after all hooks, or else through hooks on this very thread.
 */
const nodeModule = require("node:module") as NodeModuleApi;
const { syncBuiltinESMExports } = require("node:module") as typeof import("node:module");
const { fileURLToPath, pathToFileURL } = require("node:url") as typeof import("node:url");
const path = require("node:path") as typeof import("node:path");
const { hasWholeHooks } = require("./node_hooks.cjs") as import("./node_hooks.cts").Parts;
const { standFor } = require("./function_texts.cjs") as import("./function_texts.cts").Parts;
const { stripTypes } = require("./strip_types.cjs") as import("./strip_types.cts").Parts;

type Internals = Pick<import("./internals.cts").Internals, "require">;
type GivenTexts = InstanceType<import("./given_text.cts").Parts["GivenTexts"]>;

/** The members of `node:module`; the types of Node 20 have only a part of them. */
interface NodeModuleApi {
  new (id: string): { exports: unknown };
  readonly prototype: { _compile: Compile };
  wrap(text: string): string;
  readonly wrapper: readonly string[];
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

/** Makes a module of a source, in Node's `internal/modules/esm/translators`. */
type Translate = (this: unknown, url: string, given: unknown, ...rest: unknown[]) => unknown;

type Run = (main: () => unknown) => unknown;

/** A script that is about to be compiled. */
interface Script {
  readonly url: string;
  readonly source: string;
  /** Its name in stack traces. */
  readonly name: string;
  /** The texts that V8 compiles before and after it. */
  readonly wrapper?: readonly [before: string, after: string];
}

/** Gives the text to compile a script as; undefined for the text as it is. */
type Probe = (script: Script) => string | undefined;

const { apply } = Reflect;
const { defineProperty } = Object;
const { wrap, wrapper } = nodeModule;
/** A file that does not exist. */
const FILE = "/kcovfs.cts";
const decoder = new TextDecoder();

/**
 * @param probe Puts probes into a script.
 * @returns a function that puts back everything that can be put back.
 */
function probeLoadedScripts(
  probe: Probe,
  { internals, given }: { internals?: Internals | undefined; given?: GivenTexts } = {},
): () => void {
  const { prototype } = nodeModule;
  const compile = prototype._compile;
  const registerHooks = hasWholeHooks() ? nodeModule.registerHooks : undefined;
  const restoreModules = internals
    ? hookTranslators(internals, probe)
    : registerHooks
    ? hookModules(registerHooks, probe)
    : () => {};
  // Hooks have seen all modules, also those that are required.
  const hasHooks = internals === undefined && registerHooks !== undefined;
  const ours: Compile = function (this: unknown, content, filename, ...rest) {
    if (given?.isWrapper(filename)) {
      const run = apply(compile, this, [content, filename, ...rest]);
      return given.changed(run as Run, filename);
    }
    const isSeen = hasHooks && rest[0] === "module";
    const name = (filename: string) => isNamedByUrl(compile) ? hrefOf(filename) : filename;
    const script = { content, filename, format: rest[0], name };
    const code = isSeen ? undefined : probeCompiled(probe, script);
    return apply(compile, this, [code ?? content, filename, ...rest]);
  };
  seemLike(ours, compile);
  prototype._compile = ours;
  return () => {
    if (prototype._compile === ours) prototype._compile = compile;
    restoreModules();
  };
}

function seemLike(ours: object, theirs: object): void {
  standFor(ours, theirs);
  for (const name of ["name", "length"] as const) {
    defineProperty(ours, name, Object.getOwnPropertyDescriptor(theirs, name)!);
  }
}

function probeCompiled(
  probe: Probe,
  { content, filename, format, name }: {
    content: unknown;
    filename: string;
    format: unknown;
    /** Node's name for a script whose types it has stripped. */
    name: (filename: string) => string;
  },
): string | undefined {
  if (typeof content !== "string") return undefined;
  const isTyped = typeof format === "string" && format.endsWith("typescript");
  const source = isTyped ? stripTypes(content, name(filename)) : content;
  if (source === undefined) return undefined;
  // As V8 knows it. A name that is no path is `[eval]-wrapper`, or anything that a caller of `_compile`
  // gives.
  const url = path.isAbsolute(filename) ? hrefOf(filename) : filename;
  const script = { url, source, name: isTyped ? name(filename) : filename };
  // Node then compiles the output of the program's wrapper.
  const isWrapped = nodeModule.wrap !== wrap || nodeModule.wrapper !== wrapper;
  return probe(isWrapped ? { ...script, wrapper: wrapperNow() } : script);
}

function wrapperNow(): [string, string] {
  const [before, after = ""] = nodeModule.wrap("\0").split("\0");
  return [before, after];
}

function hrefOf(filename: string): string {
  return pathToFileURL(filename).href;
}

let namedByUrl: boolean | undefined;

/**
 * Whether Node names a CommonJS file whose types it has stripped by its URL. Before pull request 63705 it
 * names it by its path. This is found out by having Node compile one.
 */
function isNamedByUrl(compile: Compile): boolean {
  if (namedByUrl === undefined) {
    const module = new nodeModule(FILE);
    apply(compile, module, ["exports.stack = new Error().stack", FILE, "commonjs-typescript"]);
    namedByUrl = (module.exports as { stack: string }).stack.includes(hrefOf(FILE));
  }
  return namedByUrl;
}

/**
 * Changes the functions that make a module of its source. They come after all hooks and after types are
 * stripped. Newer versions hand over the source together with other things.
 */
function hookTranslators({ require }: Internals, probe: Probe): () => void {
  const { translators } = require("internal/modules/esm/translators") as unknown as {
    translators: Map<string, Translate>;
  };
  const translate = translators.get("module")!;
  translators.set("module", function (url, given, ...rest) {
    const isSource = isText(given);
    const text = textOf(isSource ? given : (given as Loaded).source);
    const source = text === undefined ? undefined : probe({ url, source: text, name: url });
    const changed = source === undefined
      ? given
      : isSource
      ? source
      : { ...given as object, source };
    return apply(translate, this, [url, changed, ...rest]);
  });
  const restoreCommonJs = hookCommonJs({ require, translators }, probe);
  return () => {
    translators.set("module", translate);
    restoreCommonJs();
  };
}

/**
 * Some imported CommonJS is compiled without `_compile`: a file whose source came from hooks in Node's own
 * thread, or whose types were stripped. There Node also finds the exports, by the text.
 */
function hookCommonJs(
  { require, translators }: Internals & { translators: Map<string, Translate> },
  probe: Probe,
): () => void {
  const translate = translators.get("commonjs")!;
  translators.set("commonjs", function (url, given, ...rest) {
    const isSource = isText(given);
    const { source, isSourceLoadedSynchronously } = isSource
      ? { source: given, isSourceLoadedSynchronously: false }
      : given as Loaded & { isSourceLoadedSynchronously?: boolean };
    const text = isSourceLoadedSynchronously ? undefined : textOf(source);
    const code = text === undefined ? undefined : probe({ url, source: text, name: fileOf(url) });
    const isSame = code !== undefined && hasSameExports(require, [text!, code]);
    const changed = !isSame ? given : isSource ? code : { ...given as object, source: code };
    return apply(translate, this, [url, changed, ...rest]);
  });
  return () => void translators.set("commonjs", translate);
}

function fileOf(url: string): string {
  return url.startsWith("file:") ? fileURLToPath(url) : url;
}

function hasSameExports(require: Internals["require"], texts: readonly string[]): boolean {
  try {
    const { parse } = require("internal/deps/cjs-module-lexer/lexer") as unknown as {
      parse: (text: string) => { exports: Iterable<string>; reexports: Iterable<string> };
    };
    const [before, after] = texts.map((text) => {
      const { exports, reexports } = parse(text);
      return JSON.stringify([[...exports], [...reexports]]);
    });
    return before === after;
  } catch {
    return false;
  }
}

/** Whether this is a source, and not an object that holds one. */
function isText(given: unknown): boolean {
  return typeof given !== "object" || given === null || ArrayBuffer.isView(given) ||
    given instanceof ArrayBuffer;
}

function textOf(source: unknown): string | undefined {
  if (typeof source === "string") return source;
  const isBytes = ArrayBuffer.isView(source) || source instanceof ArrayBuffer ||
    source instanceof SharedArrayBuffer;
  return isBytes ? decoder.decode(source as Uint8Array) : undefined;
}

/** Hooks on this very thread. Ours stay the outermost, so that they see the output of the others. */
function hookModules(
  registerHooks: NonNullable<NodeModuleApi["registerHooks"]>,
  probe: Probe,
): () => void {
  const hooks = {
    load(url: string, context: LoadContext, nextLoad: NextLoad) {
      const loaded = nextLoad(url, context);
      const text = textOf(loaded.source);
      const format = formatOf(url, loaded, context);
      if (text === undefined || format === undefined) return loaded;
      const source = isTyped(loaded) ? stripTypes(text, url) : text;
      const code = source === undefined ? undefined : probe({ url, source, name: url });
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
  syncBuiltinESMExports();
  return () => {
    if (nodeModule.registerHooks === ours) nodeModule.registerHooks = registerHooks;
    syncBuiltinESMExports();
    registered.deregister();
  };
}

/**
 * The format to report for a script that gets probes here, if it does. CommonJS comes to `_compile`, with
 * one exception: before pull request 62920, which removed a property, a file with types does not when it is
 * imported.
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

/** Deno reports no formats. It hands over its TypeScript already transpiled. */
function isDenoScript(url: string, { format, source }: Loaded, context: LoadContext): boolean {
  const isText = "Deno" in globalThis && !format && typeof source === "string";
  return isText && !context.importAttributes?.["type"] && !/\.(?:json|wasm|node)$/.test(url);
}

const parts = { probeLoadedScripts };
module.exports = parts;
export type Parts = typeof parts;
