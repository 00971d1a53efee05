/**
 * Probes for texts that Node is given: `--eval`, standard input, a worker thread's text. Node's `evalScript`
 * compiles a wrapper by `Module.prototype._compile`; the wrapper calls the function that compiles and runs
 * the text. Instead, `evalScript` is called again, with the text that has probes; `stack_traces.cts` leaves
 * out the frames that this adds.
 */
const { Script } = require("node:vm") as typeof import("node:vm");

type Internals = Pick<import("./internals.cts").Internals, "require">;

/** Node's `internal/process/execution`. */
interface Execution {
  evalScript(name: string, body: string, breaks: boolean, prints: boolean): void;
}

type Probe = (made: {
  readonly source: string;
  readonly name: string;
  readonly isNamed: boolean;
  readonly maker: string;
  readonly keepsValue: boolean;
}) => string | undefined;

type Run = (main: () => unknown) => unknown;

const WRAPPER = /^(\[(?:eval|stdin|worker eval)\])-wrapper$/;

/** Runs such texts with probes, each once. */
class GivenTexts {
  readonly #probe: Probe;
  readonly #execution: Execution;
  readonly #threadText: string | undefined;
  /** The result of a text, while it is run again. */
  #again: { result: unknown } | undefined;

  /** @param options `threadText`: the text of this worker thread. */
  constructor(
    probe: Probe,
    { require, threadText }: Internals & { threadText: string | undefined },
  ) {
    this.#probe = probe;
    this.#execution = require("internal/process/execution") as unknown as Execution;
    this.#threadText = threadText;
  }

  /** Whether a script is Node's wrapper of such a text. */
  isWrapper(filename: unknown): filename is string {
    return typeof filename === "string" && WRAPPER.test(filename);
  }

  /** Changes the function that the wrapper returns. */
  changed(run: Run, filename: string): Run {
    const again = this.#again;
    if (again) {
      this.#again = undefined;
      return (main) => again.result = run(main);
    }
    const name = WRAPPER.exec(filename)![1];
    const source = name === "[worker eval]"
      ? this.#threadText
      : (process as { _eval?: string })._eval;
    const breaks = process.execArgv.some((option) => option.startsWith("--inspect-brk"));
    if (typeof source !== "string" || breaks) return run;
    const code = this.#probe({ source, name, isNamed: true, maker: name, keepsValue: true });
    if (code === undefined || !compiles(code)) return run;
    return () => {
      const outcome: { result: unknown } = this.#again = { result: undefined };
      this.#execution.evalScript(name, code, false, false);
      return outcome.result;
    };
  }
}

/** Whether the text compiles; if it does not, Node is to report the error. */
function compiles(code: string): boolean {
  try {
    new Script(code, { filename: "node:kcovfs" });
    return true;
  } catch {
    return false;
  }
}

const parts = { GivenTexts };
module.exports = parts;
export type Parts = typeof parts;
