/** Runs commands with and without kcovfs, some at a time, and reports the differences. */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CollectorName } from "../../src/messages/protocol.ts";
import { KCOVFS, NODES as TESTED, Scene } from "../e2e/harness.ts";

const MODULES = fileURLToPath(
  new URL("../../../test/node_modules/", import.meta.url),
);

/** The Nodes that are tested against, by their major version. */
export const NODES: ReadonlyMap<number, string> = new Map(
  Object.entries({ ...TESTED, "Node 22": join(MODULES, "node22/bin/node") })
    .map(([name, path]) => [Number(name.slice(5)), path] as const)
    .sort(([a], [b]) => a - b),
);
export const REGISTER = fileURLToPath(
  new URL("../../src/agent/inside/register.cjs", import.meta.url),
);
export const COLLECTORS: readonly CollectorName[] = ["v8", "trace"];

/** How many commands run at a time. */
const LANES = 3;
/** ms after which a command is ended. */
const TIMEOUT = 120_000;

/** A command, to run in a folder of its own that has the files. */
export interface Run {
  /** The files' contents, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** The command, from the path of the Node. */
  readonly command: (node: string) => readonly string[];
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Whether `kcovfs run` starts it, rather than a program with the environment of `kcovfs env`. */
  readonly isRun?: boolean;
  /** Whether its environment says of kcovfs only where the server is. */
  readonly isBare?: boolean;
}

/** The result of a run. */
export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Stderr without the lines of kcovfs. */
  readonly stderr: string;
  /** The lines of kcovfs. */
  readonly lines: readonly string[];
}

/** A server of each collector, and the files that it has measured. */
export class StartWorld implements AsyncDisposable {
  readonly #scenes = new Map<CollectorName, Scene>();
  readonly #environments = new Map<CollectorName, NodeJS.ProcessEnv>();
  readonly #lanes: Promise<unknown>[] = Array.from(
    { length: LANES },
    () => Promise.resolve(),
  );
  #folders = 0;

  static async serving(...options: string[]): Promise<StartWorld> {
    const world = new StartWorld();
    for (const collector of COLLECTORS) {
      const scene = new Scene();
      world.#scenes.set(collector, scene);
      // For programs of other users: Node 26 preloads nothing if it may not look for a package.json.
      chmodSync(scene.folder, 0o755);
      await scene.serve("--collector", collector, ...options);
      const { stdout } = await scene.command("env", "--json");
      const changes: Record<string, string | null> = JSON.parse(stdout);
      const env = Object.entries(changes).map((
        [name, value],
      ) => [name, value ?? undefined]);
      world.#environments.set(collector, Object.fromEntries(env));
    }
    return world;
  }

  scene(collector: CollectorName): Scene {
    return this.#scenes.get(collector)!;
  }

  /** Makes a folder for a run. */
  folder(files: Run["files"]): string {
    const folder = join(this.scene("v8").folder, `case-${this.#folders++}`);
    mkdirSync(folder);
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(folder, name), text);
    }
    return folder;
  }

  /** Runs a command as soon as there is room: as a target of that server, or plainly. */
  run(
    node: string,
    { folder, collector, ...run }: Run & {
      folder: string;
      collector?: CollectorName;
    },
  ): Promise<Outcome> {
    const scene = collector && this.scene(collector);
    const made = scene &&
      (run.isBare || run.isRun ? {} : this.#environments.get(collector));
    const env = {
      ...process.env,
      ...(scene && { KCOVFS_MOUNT: scene.mount }),
      ...made,
    };
    const command = scene ? run.command(node) : withoutRegister(run.command(node));
    const whole = scene && run.isRun ? [KCOVFS, "run", "--", ...command] : command;
    const NODE_OPTIONS = [made?.["NODE_OPTIONS"], run.env?.["NODE_OPTIONS"]]
      .filter(Boolean).join(" ");
    const options = {
      cwd: folder,
      env: { ...env, ...run.env, ...(NODE_OPTIONS && { NODE_OPTIONS }) },
    };
    return this.#queue(() => start(whole, { ...options, input: run.input ?? "" }));
  }

  #queue<T>(action: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.shift()!;
    const result = lane.then(action);
    this.#lanes.push(result.catch(() => {}));
    return result;
  }

  /** The paths of the files that have executed, at least in part. */
  async covered(collector: CollectorName): Promise<ReadonlySet<string>> {
    const scene = this.scene(collector);
    const out = join(scene.folder, "coverage");
    const { status, stderr } = await scene.command(
      "report",
      "--format",
      "json",
      "--out",
      out,
    );
    if (status !== 0) throw new Error(stderr);
    const files: Record<string, { s: Record<string, number> }> = JSON.parse(
      readFileSync(join(out, "coverage-final.json"), "utf8"),
    );
    return new Set(
      Object.keys(files).filter((file) => Object.values(files[file].s).some(Boolean)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#lanes);
    for (const scene of this.#scenes.values()) {
      await scene[Symbol.asyncDispose]();
    }
  }
}

/** Removes the parts that differ from run to run, or that name the program's place. */
function withoutNoise(text: string): string {
  return text
    .replace(/\b\d+(\.\d+)?(?=m?s\b)/g, "N")
    .replace(/(duration_ms:?) [\d.]+/g, "$1 N")
    .replace(/\(node:\d+\)/g, "(node:PID)")
    .replace(/ws:\/\/\S+/g, "URL")
    .replace(/^ {4}at .*\n/gm, "");
}

function start(
  command: readonly string[],
  { cwd, env, input }: { cwd: string; env: NodeJS.ProcessEnv; input: string },
): Promise<Outcome> {
  const child = spawn(command[0], command.slice(1), {
    cwd,
    env,
    detached: true,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const timer = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), TIMEOUT);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      const all = stderr.split(/(?<=\n)/);
      const lines = all.filter((line) => line.startsWith("kcovfs: "));
      const rest = all.filter((line) => !lines.includes(line)).join("");
      resolve({
        ...{ status, signal, lines },
        ...{ stdout: withoutNoise(stdout), stderr: withoutNoise(rest) },
      });
    });
  });
}

/** The command as a user gives it who does not know kcovfs. */
function withoutRegister(command: readonly string[]): readonly string[] {
  const at = command.indexOf(REGISTER);
  return at < 0 ? command : command.filter((_, i) => i !== at && i !== at - 1);
}
