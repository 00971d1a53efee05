/**
 * The functions that probes call, by the names in `probes/probe_names.ts`. Those at comparisons are so short
 * that V8 inlines them: nearly always, nobody asks for comparisons.
 */
const vm = require("node:vm") as typeof import("node:vm");
const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;
const { compareCases, compareSought, compareValues } = require(
  "./comparisons.cjs",
) as import("./comparisons.cts").Parts;

/** Takes a record: its type, and the halves of both arguments. */
type Write = (type: number, low1: number, high1: number, low2: number, high2: number) => void;

/** Where the data of probes goes. */
interface Sink {
  readonly hit: (pc: number) => void;
  readonly compare: (
    pc: number,
    ...record: readonly [type: number, low1: number, high1: number, low2: number, high2: number]
  ) => void;
}

const { defineProperty, keys } = Object;
const { Script } = vm;
/** The property by which the functions are handed over to the script that declares them. */
const KEY = "kcovfs.handed";

type ProbeFunctions = Readonly<Record<string, unknown>>;

/** @param evalCode See {@linkcode evals}. */
function makeProbeFunctions(
  control: Int32Array,
  { evalCode = (_, code) => code, ...sink }: Sink & { evalCode?: EvalCode },
): ProbeFunctions {
  const held = { __kcov_t: { v: undefined } };
  return { ...hits(sink), ...comparisons(control, sink), ...evals(evalCode), ...held };
}

type EvalCode = (pc: number, code: unknown) => unknown;

/**
 * @param evalCode Gives the argument for V8's `eval`.
 * @param theirs V8's `eval`, in a realm.
 */
function evals(evalCode: EvalCode, theirs: unknown = globalThis.eval) {
  return {
    __kcov_eval: (pc: number, called: unknown, code: unknown): unknown =>
      called === theirs ? evalCode(pc, code) : code,
  };
}

/**
 * Declares the functions in a realm, as a script declares constants: for all code there, but not as
 * properties of the global object. As they cannot be changed, V8 takes them for constants.
 *
 * @param global The realm's global object.
 * @param run Runs a script in the realm.
 */
function declareProbeFunctions(
  functions: ProbeFunctions,
  { global, run }: { global: object; run: (script: InstanceType<typeof Script>) => void },
): void {
  const handed = Symbol.for(KEY);
  const code = `const {${keys(functions).join()}} = globalThis[Symbol.for("${KEY}")]`;
  const script = new Script(code, { filename: "node:kcovfs" });
  defineProperty(global, handed, { value: functions, configurable: true });
  try {
    run(script);
  } finally {
    delete (global as Record<symbol, unknown>)[handed];
  }
}

function hits({ hit }: Sink) {
  return {
    __kcov: hit,
    __kcov_pass(pc: number, value: unknown): unknown {
      hit(pc);
      return value;
    },
    __kcov_some(pc: number, value: unknown): unknown {
      if (value !== null && value !== undefined) hit(pc);
      return value;
    },
    __kcov_none(pc: number): readonly never[] {
      hit(pc);
      return [];
    },
  };
}

function comparisons(control: Int32Array, { compare }: Sink) {
  const WANTED = memory.CONTROL.comparisons;
  // No comparison is made while another is being recorded.
  let at = 0;
  const write: Write = (type, low1, high1, low2, high2) =>
    compare(at, type, low1, high1, low2, high2);
  const values = { isConst: false, write };
  const withConstant = { isConst: true, write };
  const record = (pc: number, left: unknown, right: unknown, options: typeof values): void => {
    at = pc;
    compareValues(left, right, options);
  };
  return {
    __kcov_const(pc: number, value: unknown, constant: unknown): unknown {
      if (control[WANTED] !== 0) record(pc, constant, value, withConstant);
      return value;
    },
    __kcov_cmp(pc: number, left: unknown, right: unknown): unknown {
      if (control[WANTED] !== 0) record(pc, left, right, values);
      return right;
    },
    __kcov_switch(pc: number, value: unknown, constants: readonly unknown[]): unknown {
      if (control[WANTED] !== 0) {
        at = pc;
        compareCases(value, constants, write);
      }
      return value;
    },
    __kcov_text(pc: number, kind: number, text: unknown, sought: unknown): unknown {
      if (control[WANTED] !== 0) {
        at = pc;
        compareSought(kind, text, sought, write);
      }
      return sought;
    },
  };
}

/**
 * The same in the realm of a `vm` context; here nothing is put on the global object, not even for a while.
 */
function declareInContext(
  functions: ProbeFunctions,
  run: (script: InstanceType<typeof Script>) => unknown,
): (...rest: unknown[]) => unknown {
  const names = keys(functions).join();
  const code = `let ${names}; (given) => { ({${names}} = given) }`;
  const set = run(new Script(code, { filename: "node:kcovfs" })) as (given: object) => void;
  set(functions);
  return set as (...rest: unknown[]) => unknown;
}

const parts = { declareInContext, declareProbeFunctions, evals, makeProbeFunctions };
module.exports = parts;
export type Parts = typeof parts;
