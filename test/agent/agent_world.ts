/** A control socket, and processes with the agent that connect to it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import {
  type CollectorName,
  type Hello,
  type NewSource,
  type ProbedSource,
  type TracedArea,
} from "../../src/messages/protocol.ts";
import { targetEnvironment } from "../../src/cli/target_environment.ts";
import type { ControlSocket } from "../../src/server/control_socket.ts";
import { listen } from "../server/listening.ts";
import type { AgentLink } from "../../src/targets/agent_link.ts";
import { until } from "../until.ts";

// This runs in dist/test/agent, and programs are not compiled.
export const PROGRAMS = fileURLToPath(new URL("../../../test/fixtures/programs/", import.meta.url));

/** An agent that has connected and waits for its welcome. */
export interface Arrival {
  readonly link: AgentLink;
  readonly hello: Hello;
}

/** A process that has ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running process. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export class AgentWorld implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), "kcovfs-agent-"));
  /** The last collections of targets that ended, as they came. */
  readonly farewells: Report[][] = [];
  /** The links of all agents that were welcomed. */
  readonly links: AgentLink[] = [];
  /** How often a hold was given up. */
  expired = 0;
  /** The collector of processes that are started. */
  collector: CollectorName = "v8";
  /** Gives scripts probes. */
  onSource: (source: NewSource) => ProbedSource = () => ({});
  #control!: ControlSocket;
  #isSilent = false;
  #onStarted: ((arrival: Arrival) => void) | undefined;
  readonly #arrived: Arrival[] = [];
  readonly #awaited: ((arrival: Arrival) => void)[] = [];
  readonly #running = new Set<Running>();

  static async listening(): Promise<AgentWorld> {
    const world = new AgentWorld();
    world.#control = await listen({
      admit: (link, hello) => world.#admit({ link, hello }),
      farewell: (_, coverage) => {
        world.farewells.push(reportsOf(coverage));
        return world.#isSilent ? new Promise(() => {}) : Promise.resolve();
      },
      expired: () => void world.expired++,
      probe: (_, source) => Promise.resolve(world.onSource(source)),
    }, {
      mode: 0o600,
      uid: process.getuid!(),
      gid: process.getgid!(),
      collectTimeout: 60_000,
      reporter: { warn: (line) => process.stderr.write(`${line}\n`) },
    });
    return world;
  }

  #admit(arrival: Arrival): void {
    if (arrival.hello.parent !== undefined && this.#onStarted) {
      this.#onStarted(arrival);
      return;
    }
    const next = this.#awaited.shift();
    if (next) next(arrival);
    else this.#arrived.push(arrival);
  }

  get socket(): string {
    return this.#control.path;
  }

  /** The next agent that connects. */
  next(): Promise<Arrival> {
    const arrival = this.#arrived.shift();
    return arrival
      ? Promise.resolve(arrival)
      : new Promise((resolve) => this.#awaited.push(resolve));
  }

  /** Takes the agents that targets start, instead of {@linkcode next}. */
  onStarted(take: (arrival: Arrival) => void): void {
    this.#onStarted = take;
  }

  /** From now on last collections are never answered. */
  silence(): void {
    this.#isSilent = true;
  }

  /** Lets a target start. */
  welcome(
    link: AgentLink,
    options: {
      holdTimeout?: number;
      isHeld?: boolean;
      areas?: readonly TracedArea[];
    } = {},
  ): void {
    const { holdTimeout = 600_000, isHeld = true, areas = [] } = options;
    const id = this.links.push(link);
    const pipe = this.#control.makePipe({
      uid: process.getuid!(),
      gid: process.getgid!(),
    });
    link.welcome({
      id,
      name: `target-${id}`,
      holdTimeout,
      pipe,
      isHeld,
      areas,
    });
  }

  /** Starts a Node, with the agent unless `socket` is `null`. */
  start(node: string, args: readonly string[], socket: string | null = this.socket): Running {
    const { KCOVFS_SOCKET: _, ...own } = process.env;
    const { collector } = this;
    const env = socket === null ? own : targetEnvironment(socket, { collector });
    const child = spawn(node, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
    const ended = new Promise<Ended>((resolve) =>
      child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }))
    );
    const running = { child, ended };
    this.#running.add(running);
    ended.then(() => this.#running.delete(running));
    return running;
  }

  /**
   * Starts a target of `hold_target.cjs`; resolves when it has begun to count.
   *
   * @param options `isThread`: it counts in a worker thread, and `main` is its process.
   */
  async hold(
    node: string,
    way: string,
    options: { holdTimeout?: number; isThread?: boolean } = {},
  ): Promise<Counting> {
    const file = path.join(this.folder, `counter-${this.#running.size}`);
    writeFileSync(file, new Uint8Array(4));
    const program = [path.join(PROGRAMS, "hold_target.cjs"), file, way];
    const wrapped = options.isThread ? [path.join(PROGRAMS, "in_worker.cjs"), ...program] : program;
    const { ended, child } = this.start(node, wrapped);
    const { link: main } = await this.next();
    this.welcome(main, options);
    const { link } = options.isThread ? await this.next() : { link: main };
    if (options.isThread) this.welcome(link, options);
    const count = () => readFileSync(file).readUInt32LE();
    await until(() => count() > 0);
    return { link, main, count, ended, child };
  }

  /** Removes the control socket, as when the server ends. */
  async vanish(): Promise<void> {
    await this.#control[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#running) child.kill("SIGKILL");
    await Promise.all([...this.#running].map(({ ended }) => ended));
    await this.vanish();
    rmSync(this.folder, { recursive: true });
  }
}

/** A target that counts for ever. */
export interface Counting extends Running {
  readonly link: AgentLink;
  /** The process's main thread. */
  readonly main: AgentLink;
  readonly count: () => number;
}

/** V8's report of a script. */
export interface Report {
  readonly scriptId: string;
  readonly url: string;
  readonly functions: readonly {
    readonly functionName: string;
    readonly isBlockCoverage: boolean;
    readonly ranges: readonly { readonly count: number }[];
  }[];
}

/** V8's reports, without the agent's own report before them; see {@linkcode placeOf}. */
export function reportsOf(coverage: Uint8Array): Report[] {
  return allOf(coverage).filter(({ scriptId }) => scriptId !== "");
}

/** The place where the collection has interrupted JavaScript, as a report of no script; undefined for none. */
export function placeOf(coverage: Uint8Array): Report | undefined {
  return allOf(coverage).find(({ scriptId }) => scriptId === "");
}

function allOf(coverage: Uint8Array): Report[] {
  return JSON.parse(Buffer.from(coverage).toString());
}

/** How often the function of a name was called, in scripts whose URL ends with this text. */
export function calls(reports: readonly Report[], url: string, name: string): number {
  return reports.filter((report) => report.url.endsWith(url))
    .flatMap(({ functions }) => functions.filter(({ functionName }) => functionName === name))
    .reduce((sum, { ranges }) => sum + ranges[0].count, 0);
}
