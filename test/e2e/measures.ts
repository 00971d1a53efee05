/** The ways to measure targets, for tests that hold for each way. */

/** A way to measure. */
export interface Measure {
  /** The server's options. */
  readonly options: readonly string[];
  /**
   * Tells clients, where it is so, that a block is reported each time that it runs, that comparisons can be
   * had, and that areas are files of a tmpfs.
   */
  readonly env: NodeJS.ProcessEnv;
}

/** By V8's counters. */
export const COUNTS: Measure = { options: ["--collector", "v8"], env: {} };

/** By probes, whose areas clients map. */
export const DIRECT: Measure = {
  options: ["--collector", "trace"],
  env: { REPEATED: "1", COMPARISONS: "1", PASSTHROUGH: "1" },
};

/** By probes, whose areas come to the clients by page faults. */
export const FAULTS: Measure = {
  options: [...DIRECT.options, "--no-passthrough"],
  env: { REPEATED: "1", COMPARISONS: "1" },
};

/** Probes, either way, by their words in a sentence. */
export const TRACES: Readonly<Record<string, Measure>> = {
  "that probes write": DIRECT,
  "that come by faults": FAULTS,
};

/**
 * Options of a server whose targets may take a minute to answer; the default is 5 s. On a machine that is too
 * busy to run them for seconds, a read must not lack PCs.
 */
export const PATIENT: readonly string[] = ["--collect-timeout", "60000"];
