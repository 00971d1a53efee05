/** Shared by the tests of `attach`: a program that reports its state, and one that asks a service. */
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Scene } from "./harness.ts";

// This runs in dist/test/e2e, and programs are not compiled.
const PROGRAMS = fileURLToPath(new URL("../../../test/fixtures/programs/", import.meta.url));
export const TELLER = join(PROGRAMS, "attach_target.cjs");

/** An option for Node. */
export const COLLECTING = `--require=${join(PROGRAMS, "collect_garbage.cjs")}`;

/** A running `attach_target.cjs`. */
export class Teller {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(
    scene: Scene,
    node: string,
    options: { before?: string[]; args?: string[] } = {},
  ): Promise<Teller> {
    const { before = [], args = [] } = options;
    const command = [...before, node, "--allow-natives-syntax", ...args, TELLER];
    const teller = new Teller(scene.start(command, { stdin: "pipe" }));
    await teller.#next();
    return teller;
  }

  get pid(): number {
    return this.child.pid!;
  }

  async #next(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the program has ended");
    return value;
  }

  /** Its state, as text. */
  async state(): Promise<string> {
    this.child.stdin!.write("how\n");
    return JSON.stringify(JSON.parse(await this.#next()).state, null, 1);
  }
}

/** Asks a service of `test/fixtures/services` all the time. */
export class Asker implements AsyncDisposable {
  /** Answers so far, and the ms that the slowest took. */
  answers = 0;
  slowest = 0;
  wrong = 0;
  readonly #socket: Socket;
  readonly #ended: Promise<void>;
  #isEnding = false;

  constructor(service: string) {
    this.#socket = connect(service);
    this.#ended = this.#ask();
  }

  async #ask(): Promise<void> {
    for (let path = 0; !this.#isEnding; path = (path + 1) % 64) {
      const began = performance.now();
      const status = await this.#request(path);
      this.slowest = Math.max(this.slowest, performance.now() - began);
      this.answers++;
      if (status !== path) this.wrong++;
    }
  }

  #request(byte: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.once("data", (answer) => resolve(answer.readUInt32LE()));
      this.#socket.once("close", () => reject(new Error("the service hung up")));
      this.#socket.write(Uint8Array.of(1, 0, 0, 0, byte));
    }).finally(() => this.#socket.removeAllListeners()) as Promise<number>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    await this.#ended;
    this.#socket.destroy();
  }
}

/** KiB of memory that a process with {@linkcode COLLECTING} has of its own, once it has no garbage. */
export async function memoryWithoutGarbage(pid: number): Promise<number> {
  process.kill(pid, "SIGUSR2");
  // Another thread gives memory back, a little later.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return memoryOf(pid);
}

function memoryOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const of = (field: string) =>
    Number(rollup.match(new RegExp(`^${field}:\\s+(\\d+)`, "m"))?.[1] ?? NaN);
  return of("Private_Clean") + of("Private_Dirty");
}
