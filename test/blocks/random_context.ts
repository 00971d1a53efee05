/** The constructs that may stand at the place of the next piece of program. */
export interface Context {
  readonly depth: number;
  readonly isAsync: boolean;
  readonly isGenerator: boolean;
  /** Whether `return` may stand here. */
  readonly inFunction: boolean;
  readonly inLoop: boolean;
  /** Whether `break` without a label may stand here. */
  readonly canBreak: boolean;
  readonly labels: readonly string[];
  /** Whether a `throw` here is caught in the same function. */
  readonly isCaught: boolean;
  /**
   * Whether V8 does not say if this is reached (`a ??= here`, `{ a = here }`), or the place does not
   * say which function it is in (class elements).
   */
  readonly isUncounted: boolean;
}

/** The top level of a script. */
export const TOP: Context = {
  depth: 0,
  isAsync: false,
  isGenerator: false,
  inFunction: false,
  inLoop: false,
  canBreak: false,
  labels: [],
  isCaught: false,
  isUncounted: false,
};
