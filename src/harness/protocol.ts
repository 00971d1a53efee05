/**
 * The protocol of a harness: the process of ours that runs a user's `fuzz`. Its other end is a bridge in C,
 * or `kcovfs run-input`.
 *
 * On {@linkcode CHANNEL}, inputs come as a u32 (little endian) of their size and their bytes. An answer is a
 * byte; those with a text have its size (u32) and the text, JSON, behind it. On {@linkcode WATCH}, a byte
 * asks where the main thread is; the answer is a size and a text, too.
 */

export const CHANNEL = 3;
export const WATCH = 4;
/** Asked so on {@linkcode WATCH}, it answers at once, by fewer looks. */
export const URGENT = 0x21;

/** The first byte of an answer. */
export const ANSWER = {
  /** The module is loaded; inputs may come. */
  loaded: 0x4c,
  /** It cannot be loaded: a {@linkcode LoadFailure}. Nothing follows. */
  failed: 0x65,
  ok: 0x6f,
  /** A {@linkcode Found}. */
  finding: 0x66,
  /** The same, and the process ends. */
  leaving: 0x67,
} as const;

/** The oracles, by the names that the command line has for them. */
export const ORACLES = [
  "exception",
  "rejection",
  "hang",
  "memory",
  "exit",
  "pollution",
  "traversal",
  "injection",
] as const;
export type Oracle = (typeof ORACLES)[number];

/** The classes of findings that are no JavaScript errors. */
export const CLASSES = {
  hang: "hang",
  memory: "out-of-memory",
  exit: "exit",
  crash: "crash",
  pollution: "prototype-pollution",
  traversal: "path-traversal",
  injection: "command-injection",
} as const;

/** The word that a fuzzer's dictionary has, and that no harmless path or command contains. */
export const CANARY = "kcovfs-canary";

/** The one argument of a harness, as JSON. */
export interface HarnessOptions {
  /** The module's path. */
  readonly target: string;
  /** Errors that are normal: class names, and `/patterns/` of messages. */
  readonly expect: readonly string[];
  /** Oracles that are off. */
  readonly without: readonly Oracle[];
}

/** A finding of an oracle. */
export interface Found {
  /** An error's class, or one of {@linkcode CLASSES}. */
  readonly class: string;
  readonly message: string;
  /** The frames, a line each, as V8 writes them. */
  readonly stack: readonly string[];
}

/** Why a module cannot be fuzzed. */
export interface LoadFailure {
  readonly message: string;
  /** Of an error of the module's own. */
  readonly stack: readonly string[];
}

/** Where the main thread was, several times. */
export interface Sightings {
  readonly stacks: readonly (readonly string[])[];
}
