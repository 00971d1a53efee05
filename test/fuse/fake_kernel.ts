/** The kernel's side of a session: it sends messages to the session and keeps the answers. */
import { type Filesystem, type Log, Session, type SessionOptions } from "../../src/fuse/mod.ts";
import { fromHex, join, toHex } from "./hex.ts";
import { EXCHANGES } from "./messages.ts";

/** 7.45 with 1 MiB of readahead and all flags, as the first message. */
const INIT_7_45 = "68000000 1a000000 0100000000000000 0000000000000000" +
  "00000000 00000000 00000000 0000 0000" +
  "07000000 2d000000 00001000 ffffffff" + "00".repeat(48);

export class FakeKernel {
  readonly session: Session;
  readonly warnings: string[] = [];
  /** Debug lines. */
  readonly lines: string[] = [];
  #replies: string[] = [];

  constructor(filesystem: Filesystem, options: Partial<SessionOptions> & { debug?: boolean } = {}) {
    const { debug = false, ...rest } = options;
    const log = Object.assign((line: string) => void this.lines.push(line), { enabled: debug });
    this.session = new Session(filesystem, {
      reply: (bytes) => this.#replies.push(toHex(bytes)),
      warn: (line) => this.warnings.push(line),
      log: log as Log,
      ...rest,
    });
  }

  /** A kernel whose INIT was answered. */
  static started(
    filesystem: Filesystem,
    options: Partial<SessionOptions> & { debug?: boolean } = {},
  ): FakeKernel {
    const kernel = new FakeKernel(filesystem, options);
    kernel.send(INIT_7_45);
    kernel.take();
    kernel.lines.length = 0;
    return kernel;
  }

  /** Sends a message in a buffer that is used for the next one as soon as this returns. */
  send(message: string | Uint8Array): void {
    const bytes = typeof message === "string" ? fromHex(message) : message.slice();
    this.session.receive(bytes);
    bytes.fill(0xee);
  }

  /** The answers since the last call, in hex. */
  take(): string[] {
    const replies = this.#replies;
    this.#replies = [];
    return replies;
  }
}

/** Lets promises' callbacks run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Errors as they stand in answers. */
export const ENOENT = "feffffff";
export const EINTR = "fcffffff";
export const EIO = "fbffffff";
export const EAGAIN = "f5ffffff";
export const ENOSYS = "daffffff";

/** The request of that name under another number, below 256, in hex. */
export function numbered(name: string, unique: number): string {
  const { request } = EXCHANGES.find((exchange) => exchange.name === name)!;
  const bytes = join(request);
  return `${bytes.slice(0, 16)}${unique.toString(16).padStart(2, "0")}${bytes.slice(18)}`;
}

/** The answer to request `unique` that says that it failed, in hex. */
export function failed(unique: number, error: string): string {
  return join(`10000000 ${error} ${unique.toString(16).padStart(2, "0")}00000000000000`);
}
