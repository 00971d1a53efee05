import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../base/user_error.ts";
import { BROKEN } from "./harness_command.ts";

const SOURCES = fileURLToPath(new URL("../../../bridges", import.meta.url));
/** Debian's names for several versions, the newest first. */
const CLANGS = ["clang", ...Array.from({ length: 12 }, (_, i) => `clang-${25 - i}`)];
const FLAGS = ["-O2", "-Wall"];

/** How a bridge is made. */
interface Bridge {
  /** The program, and its source, without `.c`. */
  readonly name: string;
  /** More sources. */
  readonly parts: readonly string[];
  readonly fuzzer: string;
  /** The variable that names another compiler. */
  readonly variable: string;
  readonly compilers: readonly string[];
  readonly install: string;
  readonly linkFlags: readonly string[];
}

const LIBFUZZER: Bridge = {
  name: "libfuzzer",
  parts: ["hints"],
  fuzzer: "libFuzzer",
  variable: "KCOVFS_CLANG",
  compilers: CLANGS,
  install: "on Debian: apt-get install clang libclang-rt-dev",
  linkFlags: ["-fsanitize=fuzzer", "-pthread"],
};
const AFL: Bridge = {
  name: "afl",
  parts: [],
  fuzzer: "AFL++",
  variable: "KCOVFS_CC",
  compilers: ["cc", "gcc", ...CLANGS],
  install: "on Debian: apt-get install gcc libc6-dev",
  linkFlags: [],
};

/**
 * Compiles the bridge to libFuzzer, unless that was done before.
 *
 * @returns the program's path.
 * @throws {UserError} where there is no clang, or none that has libFuzzer.
 */
export function buildLibfuzzerBridge(): string {
  return build(LIBFUZZER);
}

/**
 * Compiles the bridge to AFL++, unless that was done before.
 *
 * @returns the program's path.
 * @throws {UserError} where there is no compiler.
 */
export function buildAflBridge(): string {
  return build(AFL);
}

function build(bridge: Bridge): string {
  const { compiler, version } = findCompiler(bridge);
  const hash = createHash("sha256").update(version).update(JSON.stringify(FLAGS));
  for (const name of readdirSync(SOURCES).sort()) {
    hash.update(name).update(readFileSync(join(SOURCES, name)));
  }
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const folder = join(cache, "kcovfs", hash.digest("hex").slice(0, 16));
  const program = join(folder, bridge.name);
  if (existsSync(program)) return program;
  // Others may be compiling it, too.
  const made = `${program}.${process.pid}`;
  const sources = [bridge.name, ...bridge.parts];
  const objects = sources.map((name) => `${made}.${name}.o`);
  try {
    mkdirSync(folder, { recursive: true });
    // Its own loops are not to be covered: libFuzzer comes in with the linker.
    sources.forEach((name, i) =>
      compile([compiler, ...FLAGS, "-c", "-o", objects[i], join(SOURCES, `${name}.c`)], bridge)
    );
    compile([compiler, ...bridge.linkFlags, "-o", made, ...objects], bridge);
    renameSync(made, program);
  } finally {
    for (const file of [made, ...objects]) rmSync(file, { force: true });
  }
  return program;
}

function findCompiler(bridge: Bridge): { compiler: string; version: string } {
  const given = process.env[bridge.variable];
  for (const compiler of given ? [given] : bridge.compilers) {
    const { status, stdout } = spawnSync(compiler, ["--version"], { encoding: "utf8" });
    if (status === 0) return { compiler, version: stdout };
  }
  throw failure(bridge, `there is no ${bridge.compilers[0]}`);
}

function compile([compiler, ...args]: readonly string[], bridge: Bridge): void {
  const { status, stderr, error } = spawnSync(compiler, args, { encoding: "utf8" });
  if (status === 0) return;
  const said = stderr?.split("\n").find((line) => /error|cannot|fatal/i.test(line));
  throw failure(bridge, (error?.message ?? said ?? `status ${status}`).trim());
}

function failure({ fuzzer, install }: Bridge, reason: string): UserError {
  return new UserError(`Cannot build the bridge to ${fuzzer}: ${reason} (${install})`, BROKEN);
}
