/**
 * Probes for the scripts that a program makes of texts: by `eval`, by `Function` and its kin. If the same
 * script makes the same text again, it has the same PCs.
 */
const path = require("node:path") as typeof import("node:path");
const { pathToFileURL } = require("node:url") as typeof import("node:url");
const { standFor } = require("./function_texts.cjs") as import("./function_texts.cts").Parts;
const { isWhole } = require("./written_texts.cjs") as import("./written_texts.cts").Parts;

type Probed = import("./written_texts.cts").Probed;
type Ask = ReturnType<import("./ask_for_probes.cts").Parts["askForProbes"]>;

type Texts = InstanceType<import("./written_texts.cts").Parts["WrittenTexts"]>;
type FunctionParts = NonNullable<ReturnType<Texts["addParts"]>>;

/** A script that is about to be made. */
interface Made {
  readonly source: string;
  /** Its name in stack traces. */
  readonly name: string;
  /** Whether the script has a name of its own. */
  readonly isNamed: boolean;
  /** The script that makes it; if absent, the stack is searched for it. */
  readonly maker?: string;
  /** Whether the value of the script matters. */
  readonly keepsValue: boolean;
}

// User code may replace these.
const { apply, construct } = Reflect;
const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf } = Object;
const { captureStackTrace } = Error;
const { get: getOf, has: hasIn, set: setOf } = Map.prototype;
const { exec } = RegExp.prototype;
const { startsWith } = String.prototype;
const OURS = path.join(__dirname, "../..", path.sep);
/** The frames that are searched for the script that makes another. */
const FRAMES = 8;

/** The outcome for a script: `probed` is null if it stays as it is. */
interface Outcome {
  readonly probed: Probed | null;
  /** The texts that V8 makes a function of, and the facts about that function. */
  made?: FunctionParts | undefined;
}

/** Gives such scripts probes, and remembers them: the server is asked once for each. */
class MadeScripts {
  readonly #ask: Ask;
  readonly #texts: Texts;
  /** By text, then by everything else that matters. */
  readonly #known = new Map<string, Map<string, Outcome>>();
  #isFull = false;

  constructor(ask: Ask, texts: Texts) {
    this.#ask = ask;
    this.#texts = texts;
  }

  #probe({ source, name, isNamed, maker = "", keepsValue }: Made): Outcome {
    const key = `${keepsValue} ${name} ${maker}`;
    let known = apply(getOf, this.#known, [source]) as Map<string, Outcome> | undefined;
    const kept = known && apply(getOf, known, [key]) as Outcome | undefined;
    if (kept || this.#isFull) return kept ?? NONE;
    const script = { url: isNamed ? urlOf(name) : "", source, maker: urlOf(maker), keepsValue };
    const { isFull = false, ...probed } = this.#ask(script) ?? {};
    this.#isFull = isFull;
    if (isFull) return NONE;
    const outcome = { probed: isWhole(probed) ? probed : null };
    if (!known) apply(setOf, this.#known, [source, known = new Map()]);
    apply(setOf, known, [key, outcome]);
    return outcome;
  }

  /** Whether a text stays as it is, whoever makes a script of it: to find the maker is dear. */
  #isLeft(source: string): boolean {
    return this.#isFull && !apply(hasIn, this.#known, [source]);
  }

  /** The text to compile a script as; undefined for the text as it is. */
  code(made: Made): string | undefined {
    if (this.#isLeft(made.source)) return undefined;
    const maker = made.maker ?? makerNow().name;
    const { probed } = this.#probe({ ...made, maker });
    if (!probed) return undefined;
    this.#texts.add(probed, { names: [made.name], maker: maker || made.name });
    return probed.code;
  }

  /** The argument for `eval` in the script that has this PC. */
  evalCode(pc: number, code: unknown): unknown {
    if (typeof code !== "string") return code;
    const maker = this.#texts.makerOf(pc);
    return this.code({ source: code, ...UNNAMED, maker, keepsValue: true }) ?? code;
  }

  /**
   * The arguments for `Function`, or one of its kin; undefined for the arguments as they are.
   *
   * @param prefix The beginning of the text of the function that is made.
   */
  functionTexts(prefix: string, texts: readonly string[]): readonly string[] | undefined {
    if (texts.length === 0) return undefined;
    const body = texts[texts.length - 1];
    let parameters = "";
    for (let i = 0; i < texts.length - 1; i++) parameters += (i === 0 ? "" : ",") + texts[i];
    const head = `(${prefix} anonymous(`;
    const start = head.length + parameters.length + "\n) {\n".length;
    const source = `${head}${parameters}\n) {\n${body}\n})`;
    if (this.#isLeft(source)) return undefined;
    const { name: maker, origin } = makerNow();
    const outcome = this.#probe({ source, ...UNNAMED, maker, keepsValue: false });
    if (!outcome.probed) return undefined;
    const made = outcome.made ??= this.#texts.addParts(outcome.probed, {
      ...{ source, maker },
      parts: [[head.length, head.length + parameters.length], [start, start + body.length]],
    });
    // The same function may be made elsewhere, too: the last place is reported.
    if (made) made.text.origin = origin;
    return made?.parts;
  }
}

const UNNAMED = { name: "", isNamed: false };
const NONE: Outcome = { probed: null };

/** Elsewhere a script is known by its URL, not by its name in stack traces. */
function urlOf(name: string): string {
  return path.isAbsolute(name) ? pathToFileURL(name).href : name;
}

/** The place where a script is made. */
interface Maker {
  readonly name: string;
  /** In the form in which V8 gives the origin of an `eval`'s code. */
  readonly origin: string;
}

const NOBODY: Maker = { name: "", origin: "" };

/** The script that is running: the first that is neither the agent's nor Node's. */
function makerNow(): Maker {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const property = getOwnPropertyDescriptor(Error, "stackTraceLimit");
  if (!property?.writable) return NOBODY;
  const own = getOwnPropertyDescriptor(Error, "prepareStackTrace");
  if (own && !own.writable) return NOBODY;
  let maker = NOBODY;
  try {
    Error.stackTraceLimit = FRAMES;
    Error.prepareStackTrace = (_, sites) => void (maker = makerIn(sites));
    const holder: { stack?: unknown } = {};
    captureStackTrace(holder, makerNow);
    // To read `stack` calls `prepareStackTrace`.
    void holder.stack;
    return maker;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (own) Error.prepareStackTrace = prepareStackTrace;
    else delete (Error as Partial<ErrorConstructor>).prepareStackTrace;
  }
}

function makerIn(sites: readonly NodeJS.CallSite[]): Maker {
  for (let i = 0; i < sites.length; i++) {
    const site = sites[i];
    const name = site.getFileName() ?? site.getScriptNameOrSourceURL() ?? "";
    const isOwn = apply(startsWith, name, [OURS]) || apply(startsWith, name, ["node:"]);
    if (isOwn || (name === "" && !site.isEval())) continue;
    const place = site.isEval() && name === ""
      ? site.getEvalOrigin()
      : `${name}:${site.getLineNumber()}:${site.getColumnNumber()}`;
    const origin = `eval at ${site.getFunctionName() || "<anonymous>"} (${place})`;
    return { name: name || nameInOrigin(origin), origin };
  }
  return NOBODY;
}

/** The file that contains all of the evals. */
function nameInOrigin(origin: string): string {
  const found = apply(exec, /\(([^()]*):\d+:\d+\)*$/, [origin]) as RegExpExecArray | null;
  return found?.[1] ?? "";
}

/** The constructors that make functions of texts, each by an example of its functions. */
const KINDS: readonly (readonly [example: object, prefix: string])[] = [
  [function () {}, "function"],
  [async function () {}, "async function"],
  [function* () {}, "function*"],
  [async function* () {}, "async function*"],
];

type AnyFunction = (...given: unknown[]) => unknown;

/**
 * Gives probes to functions that are made of texts in this realm.
 *
 * @returns a function that puts back what can be put back.
 */
function probeFunctions(made: MadeScripts): () => void {
  const undo: (() => void)[] = [];
  let base: object | undefined;
  for (const [example, prefix] of KINDS) {
    const prototype = getPrototypeOf(example);
    const property = getOwnPropertyDescriptor(prototype, "constructor")!;
    const theirs = property.value as AnyFunction;
    const ours = constructorLike(theirs, (texts) => made.functionTexts(prefix, texts));
    if (base) setPrototypeOf(ours, base);
    base ??= ours;
    defineProperty(prototype, "constructor", { ...property, value: ours });
    undo.push(() => defineProperty(prototype, "constructor", property));
  }
  const global = getOwnPropertyDescriptor(globalThis, "Function")!;
  defineProperty(globalThis, "Function", { ...global, value: base });
  undo.push(() => {
    if (globalThis.Function === base) defineProperty(globalThis, "Function", global);
  });
  return () => undo.forEach((step) => step());
}

/** A constructor that seems to be the same, and calls the original with other texts. */
function constructorLike(
  theirs: AnyFunction,
  textsFor: (texts: readonly string[]) => readonly string[] | undefined,
): AnyFunction {
  const ours = function (...given: unknown[]): unknown {
    const target = new.target === undefined || new.target === ours ? theirs : new.target;
    const texts: string[] = [];
    // As V8 does, in that order.
    for (let i = 0; i < given.length; i++) texts[i] = `${given[i]}`;
    const probed = textsFor(texts);
    if (probed) {
      try {
        return construct(theirs, probed, target);
      } catch {
        // V8's error is to be about the program's texts.
      }
    }
    return construct(theirs, texts, target);
  };
  for (const name of ["name", "length", "prototype"]) {
    defineProperty(ours, name, getOwnPropertyDescriptor(theirs, name)!);
  }
  standFor(ours, theirs);
  return ours;
}

const parts = { MadeScripts, probeFunctions };
module.exports = parts;
export type Parts = typeof parts;
export type { Made };
