/** What is said of scripts that are loaded when a process is attached to: they get probes while it runs. */

/** A script that is loaded. */
export interface LoadedScript {
  /** V8's. */
  readonly id: string;
  readonly url: string;
  /** Characters of its source. */
  readonly length: number;
  readonly isModule: boolean;
}

/** What the agent's worker asks the isolate: see `agent/inside/live_edits.cts`. */
export interface LiveQuestions {
  /** Begins; the answer is what is loaded. */
  readonly open: { readonly question: object; readonly answer: readonly LoadedScript[] };
  readonly source: {
    readonly question: { readonly id: string };
    readonly answer: string | undefined;
  };
  readonly edit: {
    readonly question: { readonly id: string; readonly text: string };
    /** What V8 says, `Ok` or why not, and the ms that the isolate has stood still. */
    readonly answer: { readonly status: string; readonly ms: number };
  };
  readonly map: {
    readonly question: { readonly url: string; readonly comment: string };
    readonly answer: undefined;
  };
  readonly close: { readonly question: object; readonly answer: undefined };
}

/** How far a loaded script has come. */
export interface LiveReport {
  readonly url: string;
  /** Blocks that have probes, of those that are to have some. */
  readonly done: number;
  readonly all: number;
  /** The rows of functions that V8 refuses to change, and what it says. */
  readonly refused: readonly { readonly row: number; readonly status: string }[];
  /** Why it was left as it is, if so. */
  readonly reason?: string;
}

/** How far an isolate has come: scripts that were tried once, of those that are measured. */
export interface LiveProgress {
  readonly tried: number;
  readonly scripts: number;
  /** Whether all were. */
  readonly isDone: boolean;
  /** Functions, or whole scripts, that stay as they are for now: `unprobed` names them. */
  readonly refused: number;
}

/** Whether a target has sent what it should. */
export function isLoadedScripts(value: unknown): value is LoadedScript[] {
  return Array.isArray(value) && value.every((script) => {
    const { id, url, length, isModule } = (script ?? {}) as Partial<LoadedScript>;
    return typeof id === "string" && typeof url === "string" && Number.isSafeInteger(length) &&
      typeof isModule === "boolean";
  });
}

/** The same of a report. */
export function isLiveReport(value: unknown): value is LiveReport {
  const { url, done, all, refused, reason = "" } = (value ?? {}) as Partial<LiveReport>;
  return typeof url === "string" && Number.isSafeInteger(done) && Number.isSafeInteger(all) &&
    typeof reason === "string" && Array.isArray(refused) &&
    refused.every(({ row, status } = {}) =>
      Number.isSafeInteger(row) && typeof status === "string"
    );
}
