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
const COMPILERS = ["clang", ...Array.from({ length: 12 }, (_, i) => `clang-${25 - i}`)];
const INSTALL = "on Debian: apt-get install clang libclang-rt-dev";
const SOURCE_FILES = ["libfuzzer.c", "hints.c"];
const FLAGS = ["-O2", "-Wall"];

/**
 * Compiles the bridge to libFuzzer, unless that was done before.
 *
 * @returns the program's path.
 * @throws {UserError} where there is no clang, or none that has libFuzzer.
 */
export function buildLibfuzzerBridge(): string {
  const { compiler, version } = findCompiler();
  const hash = createHash("sha256").update(version).update(JSON.stringify(FLAGS));
  for (const name of readdirSync(SOURCES).sort()) {
    hash.update(name).update(readFileSync(join(SOURCES, name)));
  }
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const folder = join(cache, "kcovfs", hash.digest("hex").slice(0, 16));
  const program = join(folder, "libfuzzer");
  if (existsSync(program)) return program;
  // Others may be compiling it, too.
  const made = `${program}.${process.pid}`;
  const objects = SOURCE_FILES.map((name) => `${made}.${name}.o`);
  try {
    mkdirSync(folder, { recursive: true });
    // Its own loops are not to be covered: libFuzzer comes in with the linker.
    SOURCE_FILES.forEach((name, i) =>
      compile([compiler, ...FLAGS, "-c", "-o", objects[i], join(SOURCES, name)])
    );
    compile([compiler, "-fsanitize=fuzzer", "-pthread", "-o", made, ...objects]);
    renameSync(made, program);
  } finally {
    for (const file of [made, ...objects]) rmSync(file, { force: true });
  }
  return program;
}

function findCompiler(): { compiler: string; version: string } {
  const given = process.env["KCOVFS_CLANG"];
  for (const compiler of given ? [given] : COMPILERS) {
    const { status, stdout } = spawnSync(compiler, ["--version"], { encoding: "utf8" });
    if (status === 0) return { compiler, version: stdout };
  }
  throw new UserError(
    `Cannot build the bridge to libFuzzer: there is no clang (${INSTALL})`,
    BROKEN,
  );
}

function compile([compiler, ...args]: readonly string[]): void {
  const { status, stderr, error } = spawnSync(compiler, args, { encoding: "utf8" });
  if (status === 0) return;
  const said = stderr?.split("\n").find((line) => /error|cannot|fatal/i.test(line));
  const reason = error?.message ?? said ?? `status ${status}`;
  throw new UserError(
    `Cannot build the bridge to libFuzzer: ${reason.trim()} (${INSTALL})`,
    BROKEN,
  );
}
