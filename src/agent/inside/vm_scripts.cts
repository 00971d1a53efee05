/**
 * Probes for scripts that a program compiles by `node:vm`. Node's classes there call their base class, which
 * they look up at each call: so another class can be put between.
 */
import type * as VmApi from "node:vm";

const vm = require("node:vm") as typeof VmApi & { SourceTextModule?: new () => object };
const { syncBuiltinESMExports } = require("node:module") as typeof import("node:module");
const { standFor } = require("./function_texts.cjs") as import("./function_texts.cts").Parts;

type Made = import("./made_scripts.cts").Made;

/** Gives a script probes; undefined for a script that stays as it is. */
type Probe = (made: Made) => string | undefined;

/** Makes a context ready for scripts with probes. */
type Prepare = (context: object, run: (script: VmApi.Script) => unknown) => void;

type Constructor = new (...given: unknown[]) => object;

// User code may replace these.
const { apply, construct } = Reflect;
const { create, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf } = Object;
const { add, has } = WeakSet.prototype;
const { Script, compileFunction, isContext } = vm;

/** The positions of Node's arguments, in the constructor of the class that `vm.Script` extends. */
const CODE = 0;
const FILENAME = 1;
const CACHED_DATA = 4;

/**
 * @returns a function that puts everything back.
 */
function probeVmScripts(probe: Probe, prepare: Prepare): () => void {
  const contexts = new Contexts(prepare);
  const undo = [
    probeScripts(probe, contexts),
    probeCompiledFunctions(probe, contexts),
    probeModules(probe, contexts),
  ];
  return () => undo.forEach((step) => step());
}

/** Node's name for a script that was given none. */
const NAMELESS = "evalmachine.<anonymous>";
/** The agent's own scripts. */
const OWN_NAME = "node:kcovfs";

function named(name: string): Pick<Made, "name" | "isNamed" | "maker"> {
  const isNamed = name !== "" && name !== NAMELESS;
  return isNamed ? { name, isNamed, maker: name } : { name, isNamed };
}

/** The contexts that have been made ready. */
class Contexts {
  readonly #prepare: Prepare;
  readonly #ready = new WeakSet<object>();
  readonly #runInContext: (...given: unknown[]) => unknown;

  constructor(prepare: Prepare) {
    this.#prepare = prepare;
    this.#runInContext = getPrototypeOf(Script.prototype).runInContext;
  }

  /** Makes a context ready, if this is one; returns whether a script that runs there may have probes. */
  enter(context: unknown): boolean {
    if (context === null || context === undefined) return true;
    if (typeof context !== "object" || !isContext(context)) return false;
    if (apply(has, this.#ready, [context])) return true;
    try {
      this.#prepare(
        context,
        (script) => apply(this.#runInContext, script, [context, -1, false, false, false]),
      );
      apply(add, this.#ready, [context]);
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * A script that `runInContext` runs must find the functions of its probes; it may run in several contexts.
 */
function probeScripts(probe: Probe, contexts: Contexts): () => void {
  const base = getPrototypeOf(Script) as Constructor;
  const { prototype } = Script;
  const basePrototype = getPrototypeOf(prototype) as {
    runInContext: (...given: unknown[]) => unknown;
  };
  const probed = new WeakMap<object, unknown[]>();
  const ours = function (...given: unknown[]): object {
    const code = given[CODE] as string;
    const filename = given[FILENAME] as string;
    const changed = filename === OWN_NAME
      ? undefined
      : probe({ source: code, ...named(filename), keepsValue: true });
    if (changed === undefined) return construct(base, given, new.target!);
    let script: object;
    try {
      const own = [...given];
      own[CODE] = changed;
      // The cached data is of the script as it was.
      own[CACHED_DATA] = undefined;
      script = construct(base, own, new.target!);
    } catch {
      return construct(base, given, new.target!);
    }
    if (given[CACHED_DATA] !== undefined) {
      (script as { cachedDataRejected: boolean }).cachedDataRejected = true;
    }
    probed.set(script, given);
    return script;
  };
  const { runInContext } = basePrototype;
  const between = create(basePrototype, {
    runInContext: {
      value(this: object, context: unknown, ...rest: unknown[]) {
        const given = probed.get(this);
        // Where its probes would not find their functions, the script runs as it was.
        const script = given && !contexts.enter(context) ? construct(base, given) : this;
        return apply(runInContext, script, [context, ...rest]);
      },
      writable: true,
      configurable: true,
    },
  });
  setPrototypeOf(Script, ours);
  setPrototypeOf(prototype, between);
  return () => {
    setPrototypeOf(Script, base);
    setPrototypeOf(prototype, basePrototype);
  };
}

function probeCompiledFunctions(probe: Probe, contexts: Contexts): () => void {
  const ours = function (this: unknown, ...given: unknown[]): unknown {
    const changed = changedFunction(probe, { contexts, given });
    if (changed) {
      try {
        const made = apply(compileFunction, this, changed) as { cachedDataRejected?: boolean };
        if ((given[2] as VmApi.CompileFunctionOptions | undefined)?.cachedData) {
          made.cachedDataRejected = true;
        }
        return made;
      } catch {
        // Node's error is to be about the program's text.
      }
    }
    return apply(compileFunction, this, given);
  };
  for (const name of ["name", "length"]) {
    defineProperty(ours, name, getOwnPropertyDescriptor(compileFunction, name)!);
  }
  standFor(ours, compileFunction);
  vm.compileFunction = ours as typeof compileFunction;
  syncBuiltinESMExports();
  return () => {
    if (vm.compileFunction as unknown !== ours) return;
    vm.compileFunction = compileFunction;
    syncBuiltinESMExports();
  };
}

/** Refuses context extensions: they are asked for names first, so they would be asked for those of probes. */
function changedFunction(
  probe: Probe,
  { contexts, given }: { contexts: Contexts; given: readonly unknown[] },
): unknown[] | undefined {
  const [code, parameters, options] = given as [
    unknown,
    unknown,
    VmApi.CompileFunctionOptions | undefined,
  ];
  if (typeof code !== "string" || (options !== undefined && typeof options !== "object")) {
    return undefined;
  }
  const { filename = "", contextExtensions = [], parsingContext } = options ?? {};
  const isPlain = typeof filename === "string" && Array.isArray(contextExtensions) &&
    contextExtensions.length === 0;
  if (!isPlain || !contexts.enter(parsingContext)) return undefined;
  const changed = probe({ source: code, ...named(filename), keepsValue: false });
  if (changed === undefined) return undefined;
  return [changed, parameters, { ...options, cachedData: undefined }];
}

/** `vm.SourceTextModule`, where there is one. */
function probeModules(probe: Probe, contexts: Contexts): () => void {
  const { SourceTextModule } = vm;
  if (!SourceTextModule) return () => {};
  const base = getPrototypeOf(SourceTextModule) as Constructor;
  const ours = function (given: { sourceText: string; identifier?: string; context?: object }) {
    const { sourceText, identifier = "", context } = given;
    const changed = typeof identifier === "string" && contexts.enter(context)
      ? probe({ source: sourceText, ...named(identifier), keepsValue: false })
      : undefined;
    if (changed !== undefined) {
      try {
        const own = { ...given, sourceText: changed, cachedData: undefined };
        return construct(base, [own], new.target!);
      } catch {
        // Node's error is to be about the program's text.
      }
    }
    return construct(base, [given], new.target!);
  };
  ours.prototype = base.prototype;
  setPrototypeOf(SourceTextModule, ours);
  return () => setPrototypeOf(SourceTextModule, base);
}

const parts = { probeVmScripts };
module.exports = parts;
export type Parts = typeof parts;
