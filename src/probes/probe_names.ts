/**
 * The functions that probes call: properties of the target's global object. A PC is the lower half of the
 * block's, as a signed 32-bit number, which V8 keeps as a small integer. None of the functions throws, or runs
 * code of the user's.
 */
export const PROBE_NAMES = {
  /** `(pc)`: the block is executed. The result has no meaning. */
  hit: "__kcov",
  /** `(pc, value)`: the same; returns the value. */
  pass: "__kcov_pass",
  /** `(pc, value)`: the same unless the value is null or undefined; returns the value. */
  some: "__kcov_some",
  /** `(pc)`: the same; returns an empty array, to be spread. */
  none: "__kcov_none",
  /** `(pc, value, constant)`: they are compared, in either order; returns the value. */
  constant: "__kcov_const",
  /** `(pc, left, right)`: they are compared; returns the right one. */
  compare: "__kcov_cmp",
  /** `(pc, value, constants)`: a `switch` compares the value with each; returns the value. */
  cases: "__kcov_switch",
  /**
   * `(pc, kind, text, sought)`: a string method is about to look for `sought` in `text`, if both are strings;
   * see {@linkcode TEXT_METHODS} and {@linkcode CONSTANT_SOUGHT}. Returns `sought`.
   */
  text: "__kcov_text",
  /**
   * `(pc, eval, code)`: the value that is called `eval` there is about to be called with the code, which is no
   * statement of the block's. Returns the code, with probes if the value is V8's `eval`.
   */
  code: "__kcov_eval",
  /** Not a function but an object; any probe may overwrite its property `v`. */
  held: "__kcov_t",
} as const;

/** The methods of strings that compare, with their numbers as `kind`. */
export const TEXT_METHODS: Readonly<Record<string, number>> = {
  __proto__: null as never,
  startsWith: 0,
  endsWith: 1,
  includes: 2,
  indexOf: 2,
};

/** Is added to a method's number where `sought` is a constant. */
export const CONSTANT_SOUGHT = 4;
