/**
 * The messages of an agent and a server on the control socket: frames of a 32-bit length, a
 * type and a body. The agent passes the messages of the Chrome DevTools Protocol (CDP) on as they are,
 * and adds a thing that CDP lacks: to hold the target's main thread.
 *
 * Both sides load this file; only the server loads `agent_messages.ts`, by which it checks.
 */
export type { CollectorChoice, CollectorName, Hello, NewSource } from "./agent_messages.ts";

/** Changes whenever the two sides would misunderstand each other. */
export const PROTOCOL_VERSION = 8;

/** The first byte of a frame. */
export const FRAME = {
  // From the agent:
  /** JSON: {@linkcode Hello}. The first frame. */
  hello: 1,
  /** A CDP message of the target, as text. */
  message: 2,
  /**
   * The answer to the `Profiler.takePreciseCoverage` of a batch: a 32-bit batch number, then the JSON
   * array of script coverages, without the runtime's own scripts and those that the server ignores.
   */
  taken: 3,
  /**
   * A 32-bit batch number and the gate's 32-bit serial number: the batch is done, and, if that was asked for,
   * the target is held until the serial number comes through its pipe. It is 0 if the target is not held.
   */
  held: 4,
  /** A 32-bit batch number: it was carried out, but JavaScript may have run within or after it. */
  unheld: 5,
  /** The target is about to exit. Its coverage follows as `taken` with the batch number 0. */
  farewell: 6,
  /** A hold lasted too long and was given up. */
  expired: 7,
  /** A 32-bit number and JSON: {@linkcode NewSource}. A script is about to be compiled, and waits. */
  source: 8,
  /**
   * A 32-bit number and text: the probes write into the areas of the `areas` of that number, or with the
   * number 0 of the welcome, and into no others; or the reason why they cannot.
   */
  traced: 9,
  /** A `list`'s 32-bit number and JSON: the URLs of all scripts of the isolate. */
  scripts: 10,

  // From the server:
  /** JSON: {@linkcode Welcome}. User code starts after it. */
  welcome: 16,
  /**
   * A batch: a 32-bit number, a byte that says whether to hold afterwards, the µs that the target must
   * have run since its last hold as 32 bits, then a JSON array of CDP messages, each as its id and its
   * text: `[[7,"{...}"]]`. They are carried out without any JavaScript of the target running between
   * them, and before the hold. A collection, if there is one, is the last: see `isTaking`.
   */
  batch: 17,
  /**
   * Ends the hold, once the batches before it are carried out. 32 bits: the number of the gate if it was
   * written to the pipe already, or 0.
   */
  release: 18,
  /** JSON: script ids (strings) that `taken` need not name from now on. */
  ignore: 19,
  /** The farewell was taken in: the target may exit. */
  goodbye: 21,
  /**
   * The agent is to leave the target as it was before. The last coverage comes as when the target exits. Then
   * the agent ends the connection.
   */
  detach: 22,
  /** A `source`'s number and JSON: {@linkcode ProbedSource}. */
  probed: 23,
  /** A 32-bit number and JSON: the {@linkcode TracedArea}s into which the target's probes are to write. */
  areas: 24,
  /** A 32-bit number; the answer is `scripts`. */
  list: 25,

  // Between the command line and the server:
  /** JSON: a request of the command line's. The first and only frame. */
  request: 32,
  /** JSON: its answer; the connection is closed after it. */
  response: 33,
} as const;

/** The CDP method that collects. */
export const TAKE_METHOD = "Profiler.takePreciseCoverage";

/** Whether a batch's last message collects, so that its answer is sent as `taken`. */
export function isTaking(lastText: string | undefined): boolean {
  return lastText?.includes(`"${TAKE_METHOD}"`) ?? false;
}

/** The number of the batch whose `taken` is a target's last coverage. */
export const FAREWELL_BATCH = 0;

/** An area that probes write into, or the file that they mark blocks in. */
export interface TracedArea {
  /** Different if the path, the words or the kind of records are different. */
  readonly id: string;
  /** Path of a file in memory, which is at least as long as the area. */
  readonly path: string;
  /** 64-bit words, the count among them. */
  readonly words: number;
  /** Whether it takes comparisons, four words each, instead of PCs. */
  readonly takesComparisons: boolean;
  /** Whether it is folded when it is full. While others write into it, it is not. */
  readonly folds?: boolean;
  /** Whether other isolates write into it, too. */
  readonly isShared: boolean;
  /** For a shared area: path of the file by which its writers take turns; see `turns.ts`. */
  readonly turns?: string;
  /** Whether it is no area, but a file with a byte for each block, which is 1 if the block has executed. */
  readonly takesMarks?: boolean;
}

/** The text to compile instead of a script; without code, the script stays as it is. */
export interface ProbedSource {
  readonly code?: string;
  /** The insertions: offsets into the original script, each followed by the number of inserted characters. */
  readonly insertions?: readonly number[];
  /** SHA-256 of the code, as V8 makes it of a script. */
  readonly hash?: string;
  /** Whether further scripts that the program makes get no probes. */
  readonly isFull?: boolean;
  /** Lower half of the PC of the first block, and the number of blocks. */
  readonly firstPc?: number;
  readonly blocks?: number;
}

/** The server's answer to a hello. */
export interface Welcome {
  /** The target's number, and its name, which no other target has. */
  readonly id: number;
  readonly name: string;
  /** ms after which a hold that nobody ends is given up. */
  readonly holdTimeout: number;
  /**
   * Path of a FIFO that the server made for the agent, which removes it. The isolate's thread is held at it.
   * Whoever writes the gate's serial number to it, 32 bits in the machine's order, lets the thread through.
   */
  readonly pipe: string;
  /**
   * Whether the target may have to be held. If not, the agent does without the means, which may be lacking.
   */
  readonly isHeld: boolean;
  /** The areas into which its probes write from the start. */
  readonly areas: readonly TracedArea[];
}

/** The environment variables by which processes find their server. */
export const ENVIRONMENT = {
  /** Path of the control socket. */
  socket: "KCOVFS_SOCKET",
  /** The target's name. */
  name: "KCOVFS_NAME",
  /** Globs of the target's own, each a JSON array of strings. */
  include: "KCOVFS_INCLUDE",
  exclude: "KCOVFS_EXCLUDE",
  /** The name of the target that has started the process. */
  parent: "KCOVFS_PARENT",
  /** {@linkcode CollectorName} */
  collector: "KCOVFS_COLLECTOR",
  /** Path of a Node or Deno for the scripts in `shims/`, and the arguments before a script. */
  node: "KCOVFS_NODE",
  nodeArguments: "KCOVFS_NODE_ARGUMENTS",
} as const;

const HEADER = 5;

/** Packs a frame. */
export function packFrame(type: number, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const frame = new Uint8Array(HEADER + length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, length, true);
  frame[4] = type;
  let at = HEADER;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** A 32-bit number as bytes. */
export function packNumber(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/**
 * A 32-bit number from a frame's body.
 *
 * @throws {RangeError} if the body ends before the number does.
 */
export function unpackNumber(body: Uint8Array, offset = 0): number {
  return new DataView(body.buffer, body.byteOffset, body.length).getUint32(offset, true);
}

/** Bytes of the longest accepted body of a frame of this type. */
export type FrameLimit = (type: number) => number;

/** Bytes that are reserved for a frame that has begun, before more have come. */
const SMALLEST = 1024;
const NOTHING = new Uint8Array();

/**
 * Cuts a stream of bytes into frames.
 *
 * The cost of a frame depends on the bytes that have come, not on the length that it claims: memory is at
 * most twice these bytes, and each byte is copied a few times, however small the pieces are.
 */
export class FrameReader {
  readonly #receive: (type: number, body: Uint8Array) => void;
  readonly #limit: FrameLimit;
  /** The beginning of a frame that has not come whole: the first `#length` bytes. */
  #buffer = NOTHING;
  #length = 0;

  /**
   * @param receive Takes each frame; the body is valid as long as the caller keeps it.
   * @param limit The limit of all frames, or a function of their types.
   */
  constructor(
    receive: (type: number, body: Uint8Array) => void,
    limit: number | FrameLimit,
  ) {
    this.#receive = receive;
    this.#limit = typeof limit === "number" ? () => limit : limit;
  }

  /** Bytes that are reserved for a frame that has not come whole. */
  get pending(): number {
    return this.#buffer.length;
  }

  /** @throws {RangeError} if a frame is longer than the limit: end the stream then. */
  push(chunk: Uint8Array): void {
    let rest = this.#length === 0 ? chunk : this.#complete(chunk);
    try {
      while (rest && rest.length >= HEADER) {
        const end = this.#endOf(rest);
        if (rest.length < end) break;
        const frame = rest.subarray(0, end);
        rest = rest.subarray(end);
        this.#receive(frame[4], frame.subarray(HEADER));
      }
    } finally {
      if (rest && rest.length > 0) this.#keep(rest);
    }
  }

  /** The end of a frame whose header is there. */
  #endOf(bytes: Uint8Array): number {
    const length = unpackNumber(bytes);
    if (length > this.#limit(bytes[4])) {
      throw new RangeError(`Cannot take a frame of ${length} bytes`);
    }
    return HEADER + length;
  }

  /** Adds to the frame that has begun; returns the bytes after it, or nothing if it goes on. */
  #complete(chunk: Uint8Array): Uint8Array | undefined {
    let rest = chunk;
    if (this.#length < HEADER) {
      const missing = HEADER - this.#length;
      this.#keep(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      if (this.#length < HEADER) return undefined;
    }
    const end = this.#endOf(this.#buffer);
    const missing = end - this.#length;
    this.#keep(rest.subarray(0, missing));
    if (this.#length < end) return undefined;
    const frame = this.#buffer.subarray(0, end);
    rest = rest.subarray(missing);
    this.#buffer = NOTHING;
    this.#length = 0;
    try {
      this.#receive(frame[4], frame.subarray(HEADER));
    } catch (error) {
      if (rest.length > 0) this.#keep(rest);
      throw error;
    }
    return rest;
  }

  #keep(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(
        Math.max(length, 2 * this.#buffer.length, SMALLEST),
      );
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }
}
