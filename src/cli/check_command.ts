import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/user_error.ts";

/** Exit statuses of env(1) and of shells. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
/** Bytes of a `#!` line that the kernel reads. */
const INTERPRETER_LINE = 256;
/** Files that Node runs. */
const SCRIPT = /\.[cm]?[jt]s$/;

/**
 * Finds out before anything is started whether a command can be started, so that `run` and `fuzz` report it
 * alike.
 *
 * @throws {UserError} with the status that a shell would end with.
 */
export function checkCommand([name]: readonly string[]): void {
  const fail = (reason: string, status = NOT_FOUND): never => {
    throw new UserError(`Cannot run ${name}: ${reason}`, { status });
  };
  const file = name.includes("/") ? name : findInPath(name);
  if (file === undefined) {
    const isHere = kindOf(name) === "file";
    return fail(`no such command in PATH${isHere ? `; for the file here say ./${name}` : ""}`);
  }
  const kind = kindOf(file);
  if (!kind) return fail("no such file");
  if (kind !== "file") return fail(`it is a ${kind}`, NOT_EXECUTABLE);
  if (!isExecutable(file)) {
    const remedy = SCRIPT.test(name) ? `say 'node ${name}'` : `run 'chmod +x ${name}'`;
    return fail(`it is not executable; ${remedy}`, NOT_EXECUTABLE);
  }
  const interpreter = interpreterOf(file);
  if (interpreter && !kindOf(interpreter)) {
    fail(`its first line names ${interpreter}, and there is none`);
  }
}

function findInPath(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "/usr/bin:/bin").split(":");
  return folders.map((folder) => join(folder || ".", name))
    .find((file) => kindOf(file) === "file" && isExecutable(file));
}

/** Undefined where no such file exists. */
function kindOf(file: string): "file" | "folder" | "device" | undefined {
  try {
    const stats = statSync(file);
    return stats.isFile() ? "file" : stats.isDirectory() ? "folder" : "device";
  } catch {
    return undefined;
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program that a script's `#!` line names; undefined for a file that may not be read. */
function interpreterOf(file: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch {
    return undefined;
  }
  try {
    const line = Buffer.alloc(INTERPRETER_LINE);
    readSync(fd, line);
    return /^#![ \t]*(\/[^\s\0]+)/.exec(line.toString("utf8"))?.[1];
  } finally {
    closeSync(fd);
  }
}
