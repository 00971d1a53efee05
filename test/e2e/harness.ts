/** Shared by the tests on real mounts: servers, services and C clients. It cleans all of them up. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { targetEnvironment } from "../../src/cli/target_environment.ts";
import { readMountTable } from "../../src/fuse/mod.ts";
import { askServer } from "../../src/messages/control_client.ts";
import type { TargetRow } from "../../src/messages/requests.ts";
import { shownTargets } from "../../src/report/living_targets.ts";
import { symbolize } from "../../src/report/symbolize.ts";
import { symbolFile } from "../../src/symbols/symbol_file.ts";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** The command under test. */
export const KCOVFS = join(ROOT, "bin/kcovfs");
const CLIENTS = join(ROOT, "test/e2e/clients");
/** The headers that fuzzers' bridges are made of. */
const BRIDGES = join(ROOT, "bridges");
const BUILT = join(ROOT, "dist/clients");
/** The users' services, which the tests use as targets. */
export const SERVICES = join(ROOT, "test/fixtures/services");

/** The runtimes under test. */
export const NODES: Record<string, string> = {
  "Node 20": join(ROOT, "test/node_modules/node20/bin/node"),
  "Node 24": join(ROOT, "test/node_modules/node24/bin/node"),
  "Node 26": join(ROOT, "test/node_modules/node26/bin/node"),
};
/** A Node that is too old. */
export const OLD_NODE = join(ROOT, "test/node_modules/node18/bin/node");

/** The real Deno: npm's file in `.bin` is a Node script that starts it. */
export const DENO = join(ROOT, "test/node_modules/deno/deno");
/** The command before `bin/kcovfs` that runs it on Deno. */
export const ON_DENO = [DENO, "run", "-A", "--no-remote"];
/** An environment in which a shell finds Deno by name. */
export const WITH_DENO = { PATH: `${join(DENO, "..")}:${process.env["PATH"]}` };

/** A program's output and end. */
export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Compiles a client of `test/e2e/clients`; returns the program's path. */
export function compile(name: string): string {
  return compileFile(join(CLIENTS, `${name}.c`));
}

const compiled = new Map<string, string>();

/**
 * Compiles a C program, of one file or of several, unless the same text was compiled before. Returns the
 * program's path.
 */
export function compileFile(source: string, ...others: string[]): string {
  const known = compiled.get(source);
  if (known) return known;
  const args = ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-I", BRIDGES, source, ...others];
  const hash = createHash("sha256").update(JSON.stringify(args));
  const headers = [CLIENTS, BRIDGES, dirname(source)].flatMap((folder) =>
    readdirSync(folder).filter((name) => name.endsWith(".h")).map((name) => join(folder, name))
  );
  for (const file of [source, ...others, ...headers]) hash.update(readFileSync(file));
  const folder = join(BUILT, hash.digest("hex").slice(0, 16));
  const program = join(folder, basename(source, ".c"));
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    // Other test files may compile it at the same time, and one may already run it.
    const made = `${program}.${process.pid}`;
    const { status, stderr } = spawnSync("cc", [...args, "-o", made], { encoding: "utf8" });
    if (status !== 0) throw new Error(`Cannot compile ${source}: ${stderr}`);
    renameSync(made, program);
  }
  compiled.set(source, program);
  return program;
}

/** Runs a program to its end. */
export async function execute(
  command: readonly string[],
  options: { timeout?: number; env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<Finished> {
  const child = watch(spawn(command[0], command.slice(1), {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
    detached: true,
  }));
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return await finish(child, options.timeout);
}

const watched = new WeakMap<ChildProcess, Promise<Finished>>();

/** Collects a child's output from its start on. */
function watch<C extends ChildProcess>(child: C): C {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => stdout += text);
  child.stderr?.setEncoding("utf8").on("data", (text) => stderr += text);
  const finished = new Promise<Finished>((resolve) =>
    child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }))
  );
  watched.set(child, finished);
  return child;
}

/** Waits for a child. If that takes too long, it is killed with its group, as `signal` says. */
export async function finish(child: ChildProcess, timeout = 60_000): Promise<Finished> {
  const timer = setTimeout(() => kill(child), timeout);
  try {
    return await watched.get(child)!;
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves with the first line of a stream that contains a text. */
export function lineWith(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      const line = output.split("\n").find((line) => line.includes(text));
      if (line !== undefined) resolve(line);
    });
    let errors = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => errors += chunk);
    child.on(
      "close",
      (status) => reject(new Error(`It ended with ${status} before it said "${text}": ${errors}`)),
    );
  });
}

/** A test's surroundings: a folder of its own, and all processes that were started in it. */
export class Scene implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kcovfs-test-"));
  readonly #children: ChildProcess[] = [];
  #services = 0;

  /** The mount point of the server. */
  get mount(): string {
    return join(this.folder, "mnt");
  }

  get kcov(): string {
    return join(this.mount, "kcov");
  }

  /** The control socket of its server. */
  get control(): string {
    return readlinkSync(join(this.mount, "kcovfs/socket"));
  }

  /** The targets that there have been, by `kcovfs ps --all --json`. */
  async targets(): Promise<readonly TargetRow[]> {
    return shownTargets(await askServer(this.control, "targets"), { all: true });
  }

  get state(): string {
    return join(this.folder, "state");
  }

  /**
   * Starts a server; its output on stderr is collected in `stderr`. V8 counts its targets unless the options
   * say otherwise: with `auto` they would have probes.
   */
  serve(...options: string[]): Promise<ChildProcess & { warnings: () => string }> {
    return this.serveWith({}, ...options);
  }

  /** The same with more in the server's environment, or with a command before its own. */
  async serveWith(
    { env, runtime = [] }: { env?: NodeJS.ProcessEnv; runtime?: readonly string[] },
    ...options: string[]
  ): Promise<ChildProcess & { warnings: () => string }> {
    // A dead mount cannot be recognised as a folder.
    if (!await this.isMounted()) mkdirSync(this.mount, { recursive: true });
    const [program, ...args] = [...runtime, KCOVFS, "mount", this.mount, "--state", this.state];
    const collector = options.includes("--collector") ? [] : ["--collector", "v8"];
    const child = watch(spawn(program, [...args, ...collector, ...options], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    }));
    this.#children.push(child);
    let warnings = "";
    child.stderr.setEncoding("utf8").on("data", (text) => warnings += text);
    await lineWith(child, "mounted on");
    return Object.assign(child, { warnings: () => warnings });
  }

  /** Runs `kcovfs` against this scene's server. */
  command(...args: string[]): Promise<Finished> {
    return execute([KCOVFS, ...args], { env: { KCOVFS_MOUNT: this.mount } });
  }

  /**
   * Starts a service of `test/fixtures/services` as a target.
   *
   * @param options `node`: the runtime. `isPlain`: not as a target. `target`: its name, and `globs`: options
   * of `kcovfs run` for it. `place`: where it answers, see `in_worker.cjs`; by default in the main
   * thread.
   * @returns the path of the socket that it serves, and the service's process.
   */
  async service(
    name: string,
    options: {
      node?: string;
      isPlain?: boolean;
      args?: string[];
      target?: string;
      globs?: string[];
      place?: string;
      env?: NodeJS.ProcessEnv;
    } = {},
  ): Promise<{ socket: string; child: ChildProcess; pid: number }> {
    const socket = join(this.folder, `service-${this.#services++}`);
    const node = options.node ?? process.execPath;
    const file = options.place ? ["in_worker.cjs", options.place] : ["serve.cjs"];
    const [script, ...place] = [join(SERVICES, file[0]), ...file.slice(1)];
    const program = [node, ...options.args ?? [], script, ...place, name, socket];
    const [command, ...args] = options.globs
      ? [...this.run(options.target ?? name, options.globs), ...program]
      : program;
    const env = options.isPlain || options.globs
      ? process.env
      : await this.#environment(options.target ?? name);
    const child = watch(spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...env, ...options.env },
      detached: true,
    }));
    this.#children.push(child);
    await lineWith(child, "ready");
    return { socket, child, pid: child.pid! };
  }

  /**
   * Starts the service `paths` from files of its own, so that it shares PCs with no other; returns its socket.
   *
   * @param options `place`: the folder of the files. In "services", `textsInPaths` takes them for those of the
   * service itself.
   */
  async copy(
    name: string,
    { node = process.execPath, place = "services" }: { node?: string; place?: string } = {},
  ): Promise<string> {
    const folder = join(this.folder, name, place);
    mkdirSync(folder, { recursive: true });
    for (const file of ["serve.cjs", "paths.cjs"]) {
      copyFileSync(join(SERVICES, file), join(folder, file));
    }
    const socket = join(folder, "socket");
    const program = [node, join(folder, "serve.cjs"), "paths", socket];
    await lineWith(this.start([...this.run(name), ...program]), "ready");
    return socket;
  }

  /** The variables that `kcovfs run` adds to the environment; to set them here saves a process. */
  async #environment(name: string): Promise<NodeJS.ProcessEnv> {
    const { collector } = await askServer(this.control, "server");
    return targetEnvironment(this.control, { name, collector });
  }

  /** The command before another that makes it a target. */
  run(name: string, globs: readonly string[] = []): string[] {
    return [KCOVFS, "run", "--mount", this.mount, "--name", name, ...globs, "--"];
  }

  /** Starts any other program, which ends with the scene. */
  start(
    command: readonly string[],
    options: { env?: NodeJS.ProcessEnv; stdin?: "pipe" } = {},
  ): ChildProcess {
    const child = watch(spawn(command[0], command.slice(1), {
      stdio: [options.stdin ?? "ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    }));
    this.#children.push(child);
    return child;
  }

  /** Keeps both cores busy until the scene ends. */
  keepBusy(): void {
    for (let core = 0; core < 2; core++) this.start(["sh", "-c", "while :; do :; done"]);
  }

  /** The places of PCs: `file:line.column,line.column`, by `kcovfs symbolize --runsc`. */
  symbolize(pcs: readonly string[]): string[] {
    using symbols = SymbolTable.open(symbolFile(this.state), { isReadOnly: true });
    return pcs.map((pc) => symbolize(symbols, BigInt(pc)).split("\n")[1]);
  }

  async isMounted(): Promise<boolean> {
    return (await readMountTable()).some(({ mountPoint }) => mountPoint === this.mount);
  }

  /** Resolves once the watchdog of a killed server has unmounted; throws after 30 s. */
  async unmounted(): Promise<void> {
    for (let i = 0; await this.isMounted(); i++) {
      if (i === 300) throw new Error(`${this.mount} is still mounted`);
      await sleep(100);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The last first: services before their server.
    for (const child of this.#children.reverse()) await end(child);
    const left = (await readMountTable()).filter((entry) => entry.mountPoint === this.mount);
    for (const entry of left) spawnSync("umount", ["-l", entry.mountPoint]);
    rmSync(this.folder, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`${this.mount} was still mounted`);
  }
}

/** Asks a process to end. If it does not, kills it, with its group if it leads one. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => kill(child), 5000);
  await ended;
  clearTimeout(timer);
}

/** Kills a child at once, with its group if it leads one. */
function kill(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}
