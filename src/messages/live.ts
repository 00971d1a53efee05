/** Messages on scripts that are loaded when a process is attached to: they get probes while it runs. */

/** A script that is loaded. */
export interface LoadedScript {
  /** V8's. */
  readonly id: string;
  readonly url: string;
  /** Characters of its source. */
  readonly length: number;
  readonly isModule: boolean;
}

/** The questions of the agent's worker to the isolate: see `agent/inside/live_edits.cts`. */
export interface LiveQuestions {
  /** Begins; the answer is what is loaded. */
  readonly open: { readonly question: object; readonly answer: readonly LoadedScript[] };
  readonly source: {
    readonly question: { readonly id: string };
    readonly answer: string | undefined;
  };
  readonly edit: {
    readonly question: {
      readonly id: string;
      readonly url: string;
      readonly text: string;
      /** Offsets into the script as it was, each followed by how many characters come there. */
      readonly insertions: readonly number[];
      readonly firstPc: number;
      readonly blocks: number;
    };
    /** V8's answer, `Ok` or why not, and the ms that the isolate has stood still. */
    readonly answer: { readonly status: string; readonly ms: number };
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
