/** The part of `compile_anew.ts` that runs in the target's main isolate. */
const v8 = require("node:v8") as typeof import("node:v8");
const vm = require("node:vm") as typeof import("node:vm");
const { withNatives } = require("./script_source.cjs") as {
  withNatives: <T>(natives: Int32Array, action: () => T) => T;
};

const { Script } = vm;
const { setFlagsFromString } = v8;
const { toString } = Function.prototype;
const { apply } = Reflect;
/** So end the texts of functions that V8 has no code of: it ends the process when asked about these. */
const NATIVE = "{ [native code] }";
/** Scripts that are made on the way: what the inspector evaluates, and what lists the scripts. */
const OWN_SCRIPTS = 2;

let serial = 0;

/** The text is another one each time, so that it is a script of its own. */
function compile<T>(code: string): T {
  const script = new Script(`${code} // ${process.pid}.${serial++}`, { filename: "node:kcovfs" });
  return script.runInThisContext() as T;
}

/** Has V8 forget the optimised code of functions. */
function deoptimise(functions: readonly unknown[], natives: Int32Array): void {
  withNatives(natives, () => {
    const one = compile<(what: unknown) => void>("(what) => %DeoptimizeFunction(what)");
    // It is compiled while it is understood.
    one(() => {});
    for (const what of functions) {
      if (typeof what === "function" && !apply(toString, what, []).endsWith(NATIVE)) one(what);
    }
  });
}

/**
 * Has V8 throw away all code that it can.
 *
 * @param known The scripts that were looked at: where there are others, nothing is done.
 */
function flush(known: readonly number[], natives: Int32Array): boolean {
  const isKnown = new Set(known);
  const loaded = withNatives(natives, () => compile<() => number[]>("() => %DebugGetLoadedScriptIds()")());
  if (loaded.filter((id) => !isKnown.has(id)).length > OWN_SCRIPTS) return false;
  setFlagsFromString("--expose-gc");
  setFlagsFromString("--stress-flush-code");
  setFlagsFromString("--flush-baseline-code");
  try {
    const collect = vm.runInNewContext("gc") as () => void;
    collect();
  } finally {
    setFlagsFromString("--no-flush-baseline-code");
    setFlagsFromString("--no-stress-flush-code");
    setFlagsFromString("--no-expose-gc");
  }
  return true;
}

module.exports = { deoptimise, flush };
