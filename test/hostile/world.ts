/** A server, two targets and a client of each, which `faults.ts` ends, stops and starts again. */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { targetEnvironment } from "../../src/cli/target_environment.ts";
import { readMountTable } from "../../src/fuse/mod.ts";
import { execute, finish, Scene } from "../e2e/harness.ts";
import type { Measure } from "../e2e/measures.ts";
import { until } from "../until.ts";
import { compileHostile } from "./stress.ts";

/** ms within which any expected event happens. The machine may be slow; only a hang takes longer. */
export const BOUND = 20_000;
/** ms that the server waits for a target: longer than any stop that must go unnoticed. */
const COLLECT_TIMEOUT = 10_000;
/** The kernel's list of FUSE connections. */
const CONNECTIONS = "/sys/fs/fuse/connections";

/** A read that differs from the blocks of its request. */
export interface WrongRead {
  /** On the clock of {@linkcode now}. */
  readonly began: bigint;
  readonly ended: bigint;
  readonly missing: number;
  readonly additional: number;
}

/** ns on the clock that clients read, too. */
export function now(): bigint {
  return process.hrtime.bigint();
}

/** The letter of `/proc/PID/stat`; empty for a process that is gone, or whose parent has not waited for it. */
export function stateOf(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`);
  const state = stat.charAt(stat.lastIndexOf(")") + 2);
  return state === "Z" || state === "X" ? "" : state;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** A client in its loop; see `clients/faulted.c`. */
export class Client {
  readonly child: ChildProcess;
  readonly #progress: string;

  constructor(child: ChildProcess, progress: string) {
    this.child = child;
    this.#progress = progress;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  #words(): BigUint64Array {
    const bytes = readFileSync(this.#progress);
    return new BigUint64Array(
      bytes.buffer,
      bytes.byteOffset,
      bytes.length >> 3,
    );
  }

  get isInLoop(): boolean {
    try {
      return this.#words()[0] >= 2n;
    } catch {
      return false;
    }
  }

  get requests(): number {
    return Number(this.#words()[1]);
  }

  get wrong(): WrongRead[] {
    const words = this.#words();
    const count = Math.min(
      Number(words[2]),
      Math.floor((words.length - 8) / 4),
    );
    return Array.from({ length: count }, (_, i) => {
      const [began, ended, missing, additional] = words.subarray(
        8 + 4 * i,
        12 + 4 * i,
      );
      return {
        began,
        ended,
        missing: Number(missing),
        additional: Number(additional),
      };
    });
  }

  /** Resolves once it has read something more, or has ended. */
  async moved(what: string): Promise<void> {
    const before = this.requests;
    await until(() => this.hasEnded || this.requests > before + 2, `${what}: the client reads`);
  }

  /** How it has ended, in a word or two. */
  get ending(): string {
    const { exitCode, signalCode } = this.child;
    return signalCode ??
      (exitCode === 3 ? "the service is gone" : `status ${exitCode}`);
  }
}

interface Target {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly socket: string;
}

type Server = Awaited<ReturnType<Scene["serve"]>>;

/** The processes that a fault may hit. Disposing of it ends them all. */
export class World implements AsyncDisposable {
  readonly scene = new Scene();
  readonly measure: Measure;
  readonly targets = new Map<string, Target>();
  readonly clients = new Map<string, Client>();
  #server: Server | undefined;
  #connection: { minor: number; inode: number } | undefined;
  #clients = 0;
  /** Whether the targets belong to a server that has ended. */
  #areTargetsOld = false;

  constructor(measure: Measure) {
    this.measure = measure;
  }

  get server(): Server {
    return this.#server!;
  }

  get isServing(): boolean {
    return this.#server !== undefined && stateOf(this.#server.pid!) !== "";
  }

  /**
   * The server's child that is its watchdog; 0 when there is none. It reads nothing about clients, who may
   * hold locks of `/proc` until the server has answered them.
   */
  get watchdog(): number {
    const { pid } = this.server;
    const children = readIfThere(`/proc/${pid}/task/${pid}/children`).split(" ")
      .map(Number);
    const isWatchdog = (pid: number) =>
      readIfThere(`/proc/${pid}/cmdline`).includes("watchdog/main");
    return children.find((child) => child > 0 && isWatchdog(child)) ?? 0;
  }

  /** The same, once it runs: a replacement has yet to begin. */
  async findWatchdog(): Promise<number> {
    await until(() => this.watchdog > 0, "there is a watchdog");
    return this.watchdog;
  }

  /** Resolves when the kernel has released a server that has ended, with all its threads. */
  async serverReaped(): Promise<void> {
    const { server } = this;
    await until(
      () => server.exitCode !== null || server.signalCode !== null,
      "the server's last thread has ended",
    );
  }

  /** Starts whatever is missing; resolves when both clients are in their loops. */
  async complete(): Promise<void> {
    if (!this.isServing) await this.serve();
    if (this.#areTargetsOld) {
      for (const name of [...this.targets.keys()]) await this.endTarget(name);
      this.#areTargetsOld = false;
    }
    await Promise.all(["a", "b"].map(async (name) => {
      if (!this.targets.has(name)) await this.#startTarget(name);
      if (this.clients.get(name)?.hasEnded ?? true) this.#startClient(name);
      const client = this.clients.get(name)!;
      await until(() => client.isInLoop || client.hasEnded, `client ${name} is in its loop`);
      if (client.hasEnded) {
        throw new Error(
          `Client ${name}: ${client.ending}: ${(await finish(client.child)).stderr}`,
        );
      }
    }));
  }

  /** Starts a server, also after one was killed. Targets that exist stay as they are. */
  async serve(): Promise<void> {
    const options = [
      "--collect-timeout",
      String(COLLECT_TIMEOUT),
      ...this.measure.options,
    ];
    const began = performance.now();
    this.#server = await this.scene.serve(...options);
    const took = performance.now() - began;
    assert.ok(took < BOUND, `the next server took ${took} ms to start`);
    const mounts = await readMountTable();
    const { minor } = mounts.findLast(({ mountPoint }) => mountPoint === this.scene.mount)!;
    this.#connection = {
      minor,
      inode: statSync(join(CONNECTIONS, String(minor))).ino,
    };
    this.#areTargetsOld = true;
    await this.findWatchdog();
  }

  async #startTarget(name: string): Promise<void> {
    const control = await readlink(join(this.scene.mount, "kcovfs", "socket"));
    const collector = this.measure.options.includes("trace") ? "trace" : "v8";
    // As `kcovfs run` does it; that takes longer.
    const env = targetEnvironment(control, { name, collector });
    const target = await this.scene.service("paths", { isPlain: true, env });
    this.targets.set(name, target);
  }

  #startClient(name: string): void {
    const progress = join(this.scene.folder, `progress-${this.#clients++}`);
    const { socket } = this.targets.get(name)!;
    const command = [
      compileHostile("faulted"),
      join(this.scene.mount, "kcov.d", name),
      socket,
    ];
    const child = this.scene.start([...command, progress], {
      env: this.measure.env,
    });
    this.clients.set(name, new Client(child, progress));
  }

  async endTarget(name: string): Promise<void> {
    const { pid, child } = this.targets.get(name)!;
    if (stateOf(pid) !== "") process.kill(pid, "SIGKILL");
    await finish(child, BOUND);
    this.targets.delete(name);
  }

  /** Has the clients end, wherever they are. */
  async endClients(): Promise<void> {
    for (const [name, client] of this.clients) {
      if (!client.hasEnded) client.child.kill("SIGTERM");
      await until(() => client.hasEnded, `client ${name} ends`);
    }
  }

  /** A target answers requests correctly. */
  async assertAnswers(name: string): Promise<void> {
    const { socket } = this.targets.get(name)!;
    const command = [compileHostile("faulted"), "-", socket, "-", "100"];
    const { status, signal, stderr } = await execute(command, {
      timeout: BOUND,
    });
    assert.is(status, 0, `target ${name} does not answer: ${signal} ${stderr}`);
  }

  /** Whether the kernel knows the connection of the server that was started last. */
  get isConnected(): boolean {
    if (!this.#connection) return false;
    const { minor, inode } = this.#connection;
    const stats = statSync(join(CONNECTIONS, String(minor)), {
      throwIfNoEntry: false,
    });
    return stats?.ino === inode;
  }

  /** The kernel has nothing left of a server that has ended. */
  async assertGone(): Promise<void> {
    await until(() => !this.isConnected, "no connection is left");
  }

  /** The shared memory of a server that has ended is removed. */
  async assertNothingShared(): Promise<void> {
    await until(() => sharedFolders().length === 0, "no shared memory is left");
  }

  /** Nothing of processes that have ended is left, and no process is stopped. */
  assertTidy(): void {
    const stopped = readdirSync("/proc").filter((name) => stateOf(Number(name) || -1) === "T");
    assert.equal(stopped, [], "these processes are stopped");
    assert.equal(readdirSync("/run/kcovfs").length, 1, "one server's sockets");
    const folders = this.measure.options.includes("trace") ? 1 : 0;
    assert.is(sharedFolders().length, folders, "one server's shared memory");
    const pipes = readdirSync("/dev/shm").filter((name) => !name.startsWith("kcovfs-shared-"));
    assert.equal(pipes, [], "nothing else is in /dev/shm");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Processes that hang because no server answers could not be ended.
    if (!this.isServing && this.isConnected) {
      writeFileSync(
        join(CONNECTIONS, String(this.#connection!.minor), "abort"),
        "1",
      );
    }
    for (
      const { pid } of [...this.targets.values(), ...this.clients.values()]
    ) {
      if (stateOf(pid) === "T") process.kill(pid, "SIGCONT");
    }
    await this.scene[Symbol.asyncDispose]();
  }
}

function sharedFolders(): string[] {
  return readdirSync("/dev/shm").filter((name) => name.startsWith("kcovfs-shared-"));
}
