/** The filesystems whose page faults `fault_bench.ts` times, each served by a process of its own. */
import { type ChildProcess, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFile, type Scene } from "../test/e2e/harness.ts";

const HERE = fileURLToPath(new URL("../../bench/", import.meta.url));
const BUILT = fileURLToPath(new URL("./", import.meta.url));
const LIBFUSE_HEADERS = "/usr/include/fuse3";

/** A file whose page 0 is faulted in; the members are the arguments of `fault_client.c`. */
export interface Subject {
  readonly name: string;
  readonly path: string;
  readonly kind: "file" | "initialized" | "enabled";
  readonly dropper: "client" | "server";
  readonly server: ChildProcess;
}

/** The commands that install missing parts; undefined when nothing is missing. */
export function findWants(): string | undefined {
  if (availableParallelism() < 2) return "a machine with two CPUs";
  const wants: string[] = [];
  const load = ["-e", 'require("fuse-native")'];
  const { status, stderr } = spawnSync(process.execPath, load, { cwd: HERE, encoding: "utf8" });
  const packages = [
    ...existsSync(join(LIBFUSE_HEADERS, "fuse_lowlevel.h")) ? [] : ["libfuse3-dev"],
    ...status !== 0 && stderr.includes("libfuse.so.2") ? ["libfuse2"] : [],
  ];
  if (packages.length > 0) wants.push(`apt-get install ${packages.join(" ")}`);
  if (status !== 0 && stderr.includes("MODULE_NOT_FOUND")) {
    wants.push("sh scripts/install.sh bench");
  } else if (status !== 0 && packages.length === 0) throw new Error(stderr);
  return wants.length > 0 ? wants.join("; ") : undefined;
}

/** The client: the program that faults. */
export function compileClient(): string {
  return compileFile(join(HERE, "fault_client.c"));
}

function compileServer(scene: Scene): string {
  const program = join(scene.folder, "fault_server");
  const libfuse = ["-I", LIBFUSE_HEADERS, "-lfuse3"];
  const args = ["-O2", "-Wall", "-Wextra", "-o", program, join(HERE, "fault_server.c"), ...libfuse];
  const { status, stderr } = spawnSync("cc", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot compile fault_server.c: ${stderr}`);
  return program;
}

/** Mounts that must be unmounted before their servers end. */
export class Mounts implements Disposable {
  readonly #scene: Scene;
  readonly #directories: string[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Starts a server on a folder of its own, and waits until it has mounted. */
  async start(name: string, command: readonly string[]): Promise<Mounted> {
    const directory = join(this.#scene.folder, name);
    mkdirSync(directory);
    const env = { UV_THREADPOOL_SIZE: "16" };
    const server = this.#scene.start([...command, directory], { env });
    this.#directories.push(directory);
    await new Promise<void>((resolve, reject) => {
      server.stdout!.once("data", () => resolve());
      let errors = "";
      server.stderr!.on("data", (text) => errors += text);
      server.once("close", () => reject(new Error(`Cannot start ${name}: ${errors}`)));
    });
    return { directory, server };
  }

  [Symbol.dispose](): void {
    for (const directory of this.#directories) spawnSync("umount", ["-l", directory]);
  }
}

interface Mounted {
  readonly directory: string;
  readonly server: ChildProcess;
}

function kept(name: string, { directory, server }: Mounted): Subject {
  return { name, path: join(directory, "kept"), kind: "file", dropper: "client", server };
}

function dropped(name: string, { directory, server }: Mounted): Subject {
  return { name, path: join(directory, "dropped"), kind: "file", dropper: "server", server };
}

/** Starts everything; among the subjects with the same `dropper`, the first is the C server. */
export async function startSubjects(scene: Scene, mounts: Mounts): Promise<Subject[]> {
  const node = process.execPath;
  const libfuse = await mounts.start("libfuse3", [compileServer(scene)]);
  const session = await mounts.start("session", [
    node,
    join(BUILT, "fault_server.js"),
  ]);
  const native = await mounts.start("fuse-native", [
    node,
    join(HERE, "fault_server.cjs"),
  ]);
  const kcovfs = { path: scene.kcov, server: await scene.serve() };
  return [
    kept("C with libfuse3", libfuse),
    kept("src/fuse alone", session),
    {
      name: "kcovfs, initialized",
      kind: "initialized",
      dropper: "client",
      ...kcovfs,
    },
    kept("fuse-native", native),
    dropped("C with libfuse3", libfuse),
    dropped("src/fuse alone", session),
    { name: "kcovfs, enabled", kind: "enabled", dropper: "server", ...kcovfs },
  ];
}
