import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { Duplex } from "node:stream";
import { UserError } from "../base/user_error.ts";
import { BROKEN } from "./harness_command.ts";
import { ANSWER, CHANNEL, type Found, type LoadFailure, WATCH } from "../harness/protocol.ts";
import { endOf, hangOf, type Limits, memoryOf, readFailure, readFound } from "./answers.ts";

/** ms between two looks at what an input takes. */
const INTERVAL = 50;
/** s of processor time that loading the module may take, at least. */
const LOADING = 60;
/** How many times its processor time an input may take in all, as in `bridges/harness.h`. */
const PATIENCE = 10;
/** ms that the harness has to tell where it is. */
const GRACE = 5000;
/** Of `/proc/PID/stat`: ticks in a second. */
const TICKS = 100;

/** How a harness is started. */
export interface HarnessStart {
  readonly command: readonly string[];
  readonly limits: Limits;
  /** Where Node writes that it has run out of memory. */
  readonly reports: string;
}

/** A harness in plain Node, as `bridges/harness.h` has it in C. */
export class HarnessProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #limits: Limits;
  readonly #reports: string;
  readonly #channel: Messages;
  readonly #watch: Messages;
  readonly #ended: Promise<number>;
  /** Whether it is ended for what it takes. */
  #isInterrupted = false;

  private constructor({ command, limits, reports }: HarnessStart) {
    this.#limits = limits;
    this.#reports = reports;
    // A group of its own: what it starts ends with it.
    this.#child = spawn(command[0], command.slice(1), {
      stdio: ["ignore", "inherit", "inherit", "pipe", "pipe"],
      detached: true,
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once("error", () => resolve(127 << 8));
      this.#child.once("exit", (code, signal) => {
        resolve(signal ? constants.signals[signal] : (code ?? 0) << 8);
      });
    });
    const { stdio } = this.#child;
    this.#channel = new Messages(stdio[CHANNEL] as Duplex);
    this.#watch = new Messages(stdio[WATCH] as Duplex);
  }

  /** @throws {UserError} where the module cannot be loaded. */
  static async start(options: HarnessStart): Promise<HarnessProcess> {
    const harness = new HarnessProcess(options);
    const answer = await harness.#answer({ isLoading: true });
    if (answer === undefined) return harness;
    await harness[Symbol.asyncDispose]();
    const where = answer.stack.find((frame) => !frame.includes("(node:"));
    throw new UserError(
      `Cannot load it: ${answer.message}${where ? ` ${where.trim()}` : ""}`,
      BROKEN,
    );
  }

  /** @returns what the input did wrong; then `hasEnded` may be so. */
  async run(input: Uint8Array): Promise<Found | undefined> {
    this.#channel.send(input);
    return await this.#answer() as Found | undefined;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    await this.#ended;
  }

  async #answer({ isLoading = false } = {}): Promise<Found | LoadFailure | undefined> {
    const wrong = new AbortController();
    const watching = this.#watchLimits(wrong.signal, { isLoading });
    let first = await Promise.race([this.#channel.next(1), watching]);
    if (first === undefined && this.#isInterrupted) first = await watching;
    wrong.abort();
    if (first === undefined) {
      return endOf(JSON.stringify({ status: await this.#ended }), this.#reports);
    }
    if (!Buffer.isBuffer(first)) return first;
    if (first[0] === ANSWER.ok || first[0] === ANSWER.loaded) return undefined;
    const text = await this.#channel.text();
    if (first[0] === ANSWER.failed) return readFailure(text);
    if (first[0] === ANSWER.leaving) await this.#ended;
    return readFound(text);
  }

  /** Resolves when a limit is reached, and the process has been ended for it. */
  async #watchLimits(over: AbortSignal, { isLoading }: { isLoading: boolean }): Promise<Found> {
    const { memory } = this.#limits;
    const timeout = this.#limits.timeout && Math.max(this.#limits.timeout, isLoading ? LOADING : 0);
    const [start, used] = [performance.now(), this.#processorTime()];
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
      // The other promise has been settled; this one need not be.
      if (over.aborted || this.hasEnded) return new Promise(() => {});
      const waited = (performance.now() - start) / 1000;
      const isLate = this.#processorTime() - used > timeout || waited > timeout * PATIENCE;
      if (timeout > 0 && isLate) return hangOf(await this.#interrupt(), this.#limits);
      if (memory > 0 && this.#resident() > memory) {
        return memoryOf(await this.#interrupt("!"), this.#limits);
      }
    }
  }

  /** @returns where it was. */
  async #interrupt(question = "?"): Promise<string> {
    this.#isInterrupted = true;
    this.#watch.write(question);
    const nobody = new Promise<string>((resolve) => setTimeout(resolve, GRACE, "").unref());
    const text = await Promise.race([this.#watch.text(), nobody]);
    this.#kill();
    await this.#ended;
    return text;
  }

  #kill(): void {
    try {
      process.kill(-this.#child.pid!, "SIGKILL");
    } catch {
      // It has ended.
    }
  }

  /** s */
  #processorTime(): number {
    const stat = this.#read("stat");
    const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      .slice(11, 13).map(Number);
    return (user + system) / TICKS;
  }

  /** MB */
  #resident(): number {
    const [, resident = 0, shared = 0] = this.#read("statm").split(" ").map(Number);
    return (resident - shared) * 4096 / 1024 / 1024;
  }

  #read(name: string): string {
    try {
      return readFileSync(`/proc/${this.#child.pid}/${name}`, "latin1");
    } catch {
      return "";
    }
  }
}

/** Reads a socket in the sizes that are asked for. */
class Messages {
  readonly #stream: Duplex;
  #received = Buffer.alloc(0);
  #hasEnded = false;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    const end = () => {
      this.#hasEnded = true;
      this.#wake?.();
    };
    stream.on("error", end).on("close", end).on("end", end);
    stream.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
  }

  write(bytes: Uint8Array | string): void {
    this.#stream.write(bytes);
  }

  /** With its size before it, in one piece. */
  send(bytes: Uint8Array): void {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    this.write(Buffer.concat([size, bytes]));
  }

  /** @returns undefined at the end. */
  async next(size: number): Promise<Buffer | undefined> {
    while (this.#received.length < size && !this.#hasEnded) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#received.length < size) return undefined;
    const bytes = this.#received.subarray(0, size);
    this.#received = this.#received.subarray(size);
    return bytes;
  }

  /** A text with its size before it; none at the end. */
  async text(): Promise<string> {
    const size = await this.next(4);
    return (size && (await this.next(size.readUInt32LE()))?.toString()) ?? "";
  }
}
