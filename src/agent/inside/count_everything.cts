const v8 = require("node:v8") as typeof import("node:v8");
const vm = require("node:vm") as typeof import("node:vm");
const { syncBuiltinESMExports } = require("node:module") as typeof import("node:module");
const { withNatives } = require("./script_source.cjs") as import("./script_source.cts").Parts;

/** V8's optimising compilers, the flags that say whether they are on, and how V8 is asked. */
const COMPILERS = [
  { flag: "opt", ask: "%IsTurbofanEnabled()" },
  { flag: "maglev", ask: "%IsMaglevEnabled()" },
];

/**
 * Optimised code does not count invocations, and functions from a code cache have no counters; see
 * V8's `debug/debug-coverage.cc`. Measured on Node 20: with the optimisers on, only 5 of 150 inputs execute
 * the same blocks each time.
 *
 * @param natives See `scriptSources`.
 * @returns a function that puts everything back.
 */
function countEverything(natives: Int32Array): () => void {
  const restoreCompilers = turnOffCompilers(natives);
  const restoreScript = refuseCodeCaches();
  return () => {
    restoreCompilers();
    restoreScript();
  };
}

/** Which compilers are on depends on the version and on the user: V8 is asked. */
function turnOffCompilers(natives: Int32Array): () => void {
  const isOn = (ask: string) => {
    try {
      return new vm.Script(ask, { filename: "node:kcovfs" }).runInThisContext() === true;
    } catch {
      return false;
    }
  };
  const wereOn = withNatives(natives, () => COMPILERS.filter(({ ask }) => isOn(ask)));
  for (const { flag } of COMPILERS) v8.setFlagsFromString(`--no-${flag}`);
  return () => {
    for (const { flag } of wereOn) v8.setFlagsFromString(`--${flag}`);
  };
}

function refuseCodeCaches(): () => void {
  const { Script } = vm;
  const ours = new Proxy(Script, {
    construct(target, [code, options, ...rest], newTarget) {
      const cached = typeof options === "object" && options?.cachedData !== undefined;
      if (!cached) return Reflect.construct(target, [code, options, ...rest], newTarget);
      const script = Reflect.construct(target, [
        code,
        { ...options, cachedData: undefined },
        ...rest,
      ], newTarget);
      script.cachedDataRejected = true;
      return script;
    },
  });
  vm.Script = ours;
  syncBuiltinESMExports();
  return () => {
    if (vm.Script !== ours) return;
    vm.Script = Script;
    syncBuiltinESMExports();
  };
}

const parts = { countEverything };
module.exports = parts;
export type Parts = typeof parts;
