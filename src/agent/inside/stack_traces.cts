/**
 * Makes stack traces show scripts as they were written. V8 hands its frames to a formatter (Node's, or the
 * program's `Error.prepareStackTrace`); the frames are changed before. Frames of the agent's own are left
 * out.
 */
const path = require("node:path") as typeof import("node:path");

type Internals = import("./internals.cts").Internals;
type Text = import("./written_texts.cts").WrittenText;
type Texts = InstanceType<import("./written_texts.cts").Parts["WrittenTexts"]>;

/** V8's `CallSite`; only the methods that give positions are listed. */
interface Site {
  getFileName(): string | null | undefined;
  getScriptNameOrSourceURL(): string | null | undefined;
  getScriptHash(): string;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
  getPosition(): number;
  getEnclosingLineNumber(): number;
  getEnclosingColumnNumber(): number;
  getEvalOrigin(): string | undefined;
  getMethodName(): string | null;
  isEval(): boolean;
  toString(): string;
}

type Prepare = (global: object, error: object, trace: Site[]) => unknown;
type Enhance = (error: object) => unknown;

/** Node's `internal/errors`, and its bindings of errors. */
interface ErrorsModule {
  readonly prepareStackTraceCallback: Prepare;
  readonly fatalExceptionStackEnhancers: {
    readonly beforeInspector: Enhance;
    readonly afterInspector: Enhance;
  };
}

interface ErrorsBinding {
  setPrepareStackTraceCallback(prepare: Prepare): void;
  setEnhanceStackForFatalException(before: Enhance, after: Enhance): void;
  getErrorSourcePositions?: (error: object) => ErrorSource;
}

/** The place where an error was made. */
interface ErrorSource {
  readonly sourceLine: string;
  readonly scriptResourceName: string;
  readonly lineNumber: number;
  readonly startColumn: number;
}

// User code may replace these.
const { apply } = Reflect;
const { get, set } = WeakMap.prototype;
const { create, defineProperty, getOwnPropertyNames, getOwnPropertyDescriptor, getPrototypeOf } =
  Object;
const { exec, [Symbol.replace]: replace } = RegExp.prototype;
const { includes, startsWith, slice, lastIndexOf, indexOf } = String.prototype;
const OURS = path.join(__dirname, "../..", path.sep);
/** See `given_text.cts`. */
const GIVEN_TEXT = path.join(__dirname, "given_text.cjs");
/** See `loaded_scripts.cts`. */
const LOADED_SCRIPTS = path.join(__dirname, "loaded_scripts.cjs");
const LOADER = "node:internal/modules/cjs/loader";
const EXECUTION = "node:internal/process/execution";
/** The place at the end of a frame. */
const PLACE = /:(\d+):(\d+)(\)?)$/;
/** The place in the origin of an `eval`, with the file's name. */
const ORIGIN = /([^(]*):(\d+):(\d+)(\)*)$/;

/**
 * @returns a function that puts everything back.
 */
function mendStackTraces({ require, binding }: Internals, texts: Texts): () => void {
  const errors = require("internal/errors") as unknown as ErrorsModule;
  const bound = binding("errors") as unknown as ErrorsBinding;
  const { prepareStackTraceCallback: prepare, fatalExceptionStackEnhancers } = errors;
  const sites = new Sites(texts);
  const arrow = arrowSymbol(binding);
  bound.setPrepareStackTraceCallback((global, error, trace) => {
    try {
      sites.mend(trace);
      mendArrow(error, { arrow, texts });
    } catch {
      // The stack is full: the trace stays as it is.
    }
    return prepare(global, error, trace);
  });
  const { beforeInspector, afterInspector } = fatalExceptionStackEnhancers;
  const before: Enhance = (error) => {
    mendArrow(error, { arrow, texts });
    return beforeInspector(error);
  };
  bound.setEnhanceStackForFatalException(before, afterInspector);
  const restoreSource = mendErrorSource(bound, texts);
  const restoreCallSites = mendCallSites(binding("util") as unknown as UtilBinding, texts);
  return () => {
    restoreCallSites();
    bound.setPrepareStackTraceCallback(prepare);
    bound.setEnhanceStackForFatalException(beforeInspector, afterInspector);
    restoreSource();
  };
}

/** A frame of V8's, and what is to be shown instead. */
interface Known {
  readonly site: Site;
  /** The text of its script. */
  readonly text: Text | undefined;
  /** The name of its method. */
  readonly method?: string;
}

/** Wraps V8's frames. */
class Sites {
  readonly #texts: Texts;
  /** For each of our frames: V8's frame, with the text of its script. */
  readonly #raw = new WeakMap<object, Known>();
  /** For each prototype of V8's frames: the prototype of ours. */
  readonly #prototypes = new WeakMap<object, object>();

  constructor(texts: Texts) {
    this.#texts = texts;
  }

  /** Changes the frames in place. */
  mend(trace: Site[]): void {
    let kept = 0;
    for (let i = 0; i < trace.length; i++) {
      const site = trace[i];
      const name = site.getFileName() ?? site.getScriptNameOrSourceURL();
      if (name === GIVEN_TEXT) kept = this.#withoutNodes(trace, kept);
      if (name === LOADED_SCRIPTS && kept > 0) trace[kept - 1] = this.#compiling(trace[kept - 1]);
      if (typeof name === "string" && apply(startsWith, name, [OURS])) continue;
      const isNodes = typeof name === "string" && apply(startsWith, name, ["node:"]);
      trace[kept++] = isNodes ? site : this.#mended(site);
    }
    trace.length = kept;
  }

  /** Leaves out the frames of the call that runs a text again: its caller is that of the original run. */
  #withoutNodes(trace: readonly Site[], kept: number): number {
    let count = kept;
    while (count > 0 && trace[count - 1].getFileName() === EXECUTION) count--;
    return count;
  }

  /** Newer versions of V8 find a method's name by looking for the function in its object; ours is there. */
  #compiling(site: Site): Site {
    if (site.getFileName() !== LOADER || site.getMethodName() !== null) return site;
    return this.#wrapped(site, { text: undefined, method: "_compile" });
  }

  #mended(site: Site): Site {
    const hash = site.getScriptHash();
    const text = hash ? this.#texts.ofHash(hash) : undefined;
    return text || site.isEval() ? this.#wrapped(site, { text }) : site;
  }

  #wrapped(site: Site, known: { text: Text | undefined; method?: string }): Site {
    const mended = create(this.#prototypeFor(getPrototypeOf(site)));
    apply(set, this.#raw, [mended, { site, ...known }]);
    return mended;
  }

  #prototypeFor(prototype: object): object {
    const known = apply(get, this.#prototypes, [prototype]) as object | undefined;
    if (known) return known;
    const ours = create(getPrototypeOf(prototype));
    for (const name of getOwnPropertyNames(prototype)) {
      const property = getOwnPropertyDescriptor(prototype, name)!;
      if (name !== "constructor") property.value = this.#method(name, property.value);
      defineProperty(ours, name, property);
    }
    apply(set, this.#prototypes, [prototype, ours]);
    return ours;
  }

  #method(name: string, method: () => unknown): () => unknown {
    const raw = this.#raw;
    const texts = this.#texts;
    const mend = MENDED[name];
    // A method, so that it is no constructor.
    const { [name]: ours } = {
      [name](this: object): unknown {
        const found = apply(get, raw, [this]) as Known | undefined;
        if (!found) return apply(method, this, []);
        if (found.method && name === "getMethodName") return found.method;
        if (found.method && name === "toString") {
          return apply(replace, /<anonymous>/, [found.site.toString(), found.method]);
        }
        return mend ? mend(found.site, found.text, texts) : apply(method, found.site, []);
      },
    };
    return ours;
  }
}

type Mend = (site: Site, text: Text | undefined, texts: Texts) => unknown;

/** The methods that give positions. */
const MENDED: Readonly<Record<string, Mend>> = {
  __proto__: null as never,
  getColumnNumber: (site, text) => columnOf(site.getLineNumber(), site.getColumnNumber(), text),
  getEnclosingColumnNumber: (site, text) =>
    columnOf(site.getEnclosingLineNumber(), site.getEnclosingColumnNumber(), text),
  getPosition: (site, text) => text ? text.offset(site.getPosition()) : site.getPosition(),
  getScriptHash: (site, text) => text ? text.hash : site.getScriptHash(),
  getEvalOrigin: originOf,
  toString: textOf,
};

function columnOf(line: number | null, column: number | null, text: Text | undefined) {
  return text && line !== null && column !== null ? text.column(line, column) : column;
}

function textOf(site: Site, text: Text | undefined, texts: Texts): string {
  let told = site.toString();
  if (text) {
    told = apply(replace, PLACE, [
      told,
      (_: string, line: string, column: string, end: string) =>
        `:${line}:${text.column(+line, +column)}${end}`,
    ]) as string;
  }
  const origin = site.isEval() ? site.getEvalOrigin() : undefined;
  const at = typeof origin === "string" ? apply(indexOf, told, [origin]) as number : -1;
  if (at < 0) return told;
  const end = apply(slice, told, [at + origin!.length]) as string;
  return `${apply(slice, told, [0, at])}${originOf(site, text, texts)}${end}`;
}

/** The origin of an `eval`'s code: `eval at f (file:1:2)`, or one origin within another. */
function originOf(site: Site, text: Text | undefined, texts: Texts): string | undefined {
  const origin = site.getEvalOrigin();
  if (typeof origin !== "string") return origin;
  // The origin is the place where `Function` was called.
  if (text?.origin && apply(includes, origin, [OURS])) return text.origin;
  return apply(replace, ORIGIN, [
    origin,
    (all: string, name: string, line: string, column: string, end: string) => {
      const named = texts.named(name);
      const text = named[named.length - 1];
      return text ? `${name}:${line}:${text.column(+line, +column)}${end}` : all;
    },
  ]) as string;
}

/** The symbol under which Node keeps the lines that it prints before an uncaught error. */
function arrowSymbol(binding: Internals["binding"]): symbol {
  const { privateSymbols } = binding("util") as unknown as {
    privateSymbols: Readonly<Record<string, symbol>>;
  };
  return privateSymbols["arrow_message_private_symbol"];
}

/** The lines are: the place, the line there, and marks below it (`GetErrorSource` in `node_errors.cc`). */
function mendArrow(error: object, { arrow, texts }: { arrow: symbol; texts: Texts }): void {
  try {
    const holder = error as Record<symbol, unknown>;
    const mended = mendedArrow(holder[arrow], texts);
    if (mended !== undefined) holder[arrow] = mended;
  } catch {
    // The lines stay as they are.
  }
}

function mendedArrow(told: unknown, texts: Texts): string | undefined {
  if (typeof told !== "string") return undefined;
  const first = apply(indexOf, told, ["\n"]) as number;
  const second = apply(indexOf, told, ["\n", first + 1]) as number;
  const place = apply(slice, told, [0, first]) as string;
  const colon = apply(lastIndexOf, place, [":"]) as number;
  const line = +(apply(slice, place, [colon + 1]) as string);
  const text = apply(slice, told, [first + 1, second]) as string;
  const name = apply(slice, place, [0, colon]) as string;
  const found = lineIn(texts.named(name), line, text);
  if (!found) return undefined;
  const marks = apply(exec, /^([^^]*)(\^*)([^]*)$/, [
    apply(slice, told, [second + 1]),
  ]) as RegExpExecArray;
  const start = found.text.column(line, marks[1].length + 1) - 1;
  const end = found.text.column(line, marks[1].length + marks[2].length + 1) - 1;
  const indent = apply(replace, /[^\t]/g, [apply(slice, found.line, [0, start]), " "]) as string;
  const under = marks[2] === "" ? "" : indent + "^".repeat(Math.max(1, end - start));
  return `${place}\n${found.line}\n${under}${marks[3]}`;
}

/** A line, as it was written, of a script of that name. */
function lineIn(
  named: readonly Text[],
  line: number,
  text: string,
): { text: Text; line: string } | undefined {
  for (let i = named.length - 1; i >= 0; i--) {
    const written = named[i].line(line, text);
    if (written !== undefined) return { text: named[i], line: written };
  }
  return undefined;
}

/** Newer versions of `node:assert` quote the assertion's source by this. */
function mendErrorSource(bound: ErrorsBinding, texts: Texts): () => void {
  const { getErrorSourcePositions } = bound;
  if (!getErrorSourcePositions) return () => {};
  bound.getErrorSourcePositions = (error) => {
    const source = getErrorSourcePositions(error);
    const { scriptResourceName, lineNumber, sourceLine, startColumn } = source;
    const found = lineIn(texts.named(scriptResourceName), lineNumber, sourceLine);
    if (!found) return source;
    const column = found.text.column(lineNumber, startColumn + 1) - 1;
    return { ...source, sourceLine: found.line, startColumn: column };
  };
  return () => void (bound.getErrorSourcePositions = getErrorSourcePositions);
}

/** Node's bindings for `util.getCallSites`. */
interface UtilBinding {
  getCallSites?: (count: number) => CallSite[];
}

interface CallSite {
  readonly scriptName: string;
  readonly lineNumber: number;
  columnNumber?: number;
  column?: number;
}

/** The most frames that Node may be asked for. */
const MOST_FRAMES = 200;

function mendCallSites(util: UtilBinding, texts: Texts): () => void {
  const { getCallSites } = util;
  if (!getCallSites) return () => {};
  util.getCallSites = (count) => {
    // It leaves out its caller, which is this function; the next frame is Node's.
    const found = getCallSites(count < MOST_FRAMES ? count + 1 : count);
    const sites: CallSite[] = [];
    for (let i = 1; i < found.length; i++) {
      const site = found[i];
      if (apply(startsWith, site.scriptName, [OURS])) continue;
      const named = texts.named(site.scriptName);
      mendCallSite(site, named[named.length - 1]);
      sites[sites.length] = site;
    }
    return sites;
  };
  return () => void (util.getCallSites = getCallSites);
}

function mendCallSite(site: CallSite, text: Text | undefined): void {
  if (!text) return;
  const { lineNumber, columnNumber, column } = site;
  if (columnNumber !== undefined) site.columnNumber = text.column(lineNumber, columnNumber);
  if (column !== undefined) site.column = text.column(lineNumber, column);
}

const parts = { mendStackTraces };
module.exports = parts;
export type Parts = typeof parts;
