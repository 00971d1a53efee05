/**
 * Probes for what Node is given as a text: `--eval`, standard input, a worker thread's text. Node's `evalScript`
 * compiles a wrapper by `Module.prototype._compile`, and has it call what compiles and runs the text. Instead,
 * `evalScript` is called once more, with the text that has probes; `stack_traces.cts` leaves out what that adds.
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

/** Has such texts run with probes, each once. */
class GivenTexts {
  readonly #probe: Probe;
  readonly #execution: Execution;
  readonly #threadText: string | undefined;
  /** While a text is run once more: what that comes to. */
  #again: { result: unknown } | undefined;

  /** @param options `threadText`: that of this worker thread. */
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

  /** What the wrapper returns, changed. */
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

/** Else Node is to say what is wrong with the text. */
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
