import { lineStarts } from "../coverage/line_positions.ts";
import { parseSource } from "../coverage/parse_source.ts";
import { unusedFunctions } from "../coverage/unused_functions.ts";
import { agentCall } from "./control.ts";
import type { MainThread } from "./main_thread.ts";

/** V8's `Debugger.scriptParsed`, as far as it matters. */
interface ParsedScript {
  readonly scriptId: string;
  readonly startLine: number;
  readonly startColumn: number;
  readonly isModule?: boolean;
  readonly scriptLanguage?: string;
}

const EVENT = '{"method":"Debugger.scriptParsed"';
/** How often scripts that were loaded meanwhile are looked at. */
const ROUNDS = 5;

/**
 * Has V8 throw away the code of what was compiled before coverage, so that it is compiled anew, with
 * counters for its blocks. `startCoverage` must follow before anything else runs.
 *
 * V8 throws code away when it collects garbage, unless it is optimised, or a debugger's breakpoint is in
 * it, or it is that of a generator or async function. So the optimised code goes first; and functions
 * that V8 could not compile anew (see `unusedFunctions`) get a breakpoint, which also has them compiled if
 * their code was thrown away long ago: without that, coverage that begins late may end the process. The
 * breakpoints never stop the target.
 */
export class CompileAnew {
  readonly #main: MainThread;
  readonly #scripts = new Map<string, ParsedScript>();
  readonly #known: number[] = [];
  #isSafe = true;

  constructor(main: MainThread) {
    this.#main = main;
  }

  /** @returns whether it was one of this one's events. */
  receive(message: string): boolean {
    if (!message.startsWith('{"method":"Debugger.')) return false;
    if (message.startsWith(EVENT)) {
      const { params } = JSON.parse(message) as { params: ParsedScript };
      this.#known.push(Number(params.scriptId));
      if (params.scriptLanguage !== "WebAssembly") this.#scripts.set(params.scriptId, params);
    }
    return true;
  }

  /** Makes everything ready; the target goes on meanwhile. */
  async prepare(): Promise<void> {
    const main = this.#main;
    await main.send("Debugger.enable");
    await main.send("Debugger.setSkipAllPauses", { skip: true });
    await main.send("Debugger.setBreakpointsActive", { active: false });
    await this.#deoptimise();
    for (let round = 0; round < ROUNDS && this.#scripts.size > 0; round++) {
      const scripts = [...this.#scripts.values()];
      this.#scripts.clear();
      for (const script of scripts) await this.#protect(script);
    }
  }

  /** Orders, to be carried out before anything else runs: that coverage is begun, and the code thrown away before. */
  startCoverage(): Promise<unknown> {
    const main = this.#main;
    const isReady = this.#isSafe && this.#scripts.size === 0;
    if (isReady) this.#call(`flush([${this.#known}])`);
    main.send("Profiler.enable");
    main.send("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    return main.send("Debugger.disable");
  }

  async #call(call: string): Promise<string> {
    const params = { expression: agentCall(call), silent: true, returnByValue: true };
    return await this.#main.send("Runtime.evaluate", params);
  }

  /** Keeps the code of functions that cannot be compiled anew. */
  async #protect({ scriptId, startLine, startColumn, isModule }: ParsedScript): Promise<void> {
    const reply = JSON.parse(await this.#main.send("Debugger.getScriptSource", { scriptId }));
    const source: unknown = reply.result?.scriptSource;
    // A script that is gone cannot be run.
    if (typeof source !== "string") return;
    let offsets: number[];
    try {
      offsets = unusedFunctions(parseSource(source, isModule ? { isModule } : {}));
    } catch {
      this.#isSafe = false;
      return;
    }
    if (offsets.length === 0) return;
    const lines = lineStarts(source);
    await Promise.all(offsets.map(async (offset) => {
      const line = lines.findLastIndex((start) => start <= offset);
      const location = {
        scriptId,
        lineNumber: startLine + line,
        columnNumber: offset - lines[line] + (line === 0 ? startColumn : 0),
      };
      const params = { location, condition: "false" };
      const { error } = JSON.parse(await this.#main.send("Debugger.setBreakpoint", params));
      if (error) this.#isSafe = false;
    }));
  }

  async #deoptimise(): Promise<void> {
    const objectGroup = "kcovfs";
    const main = this.#main;
    const ask = async (method: string, params: object) =>
      JSON.parse(await main.send(method, params)).result;
    const prototype = await ask("Runtime.evaluate", {
      expression: "Function.prototype",
      objectGroup,
    });
    const functions = await ask("Runtime.queryObjects", {
      prototypeObjectId: prototype?.result?.objectId,
      objectGroup,
    });
    await ask("Runtime.callFunctionOn", {
      objectId: functions?.objects?.objectId,
      functionDeclaration: `function () { ${agentCall("deoptimise(this)")}\n}`,
      silent: true,
    });
    await main.send("Runtime.releaseObjectGroup", { objectGroup });
  }
}
