/** Functions of Node's that paths and commands end in: what has the canary in it there has come from an input. */
import * as childProcess from "node:child_process";
import * as fs from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { stackHere } from "./describe_error.ts";
import { CANARY, CLASSES, type Found, type Oracle } from "./protocol.ts";

type Any = (...args: unknown[]) => unknown;
type Members = Record<string, Any>;
/** Looks at the arguments of a call: what is wrong with them, if anything. */
type Look = (args: readonly unknown[]) => string | undefined;

const ONE_PATH = [
  ...["access", "appendFile", "chmod", "chown", "exists", "lchown", "lstat", "lutimes", "mkdir"],
  ...["mkdtemp", "open", "opendir", "readFile", "readdir", "readlink", "realpath", "rm", "rmdir"],
  ...["stat", "statfs", "truncate", "unlink", "utimes", "writeFile", "createReadStream"],
  ...["createWriteStream", "watch", "watchFile", "openAsBlob"],
];
const TWO_PATHS = ["copyFile", "cp", "link", "rename", "symlink"];
const SHELLS = /(?:^|\/)(?:ba|da|z|k|a)?sh$/;

/**
 * Watches them from here on.
 *
 * @param without Oracles that are off.
 * @param found Is told of each finding; the call that led to it fails.
 */
export function watchSinks(without: readonly Oracle[], found: (found: Found) => void): void {
  // The object of `import * as` cannot be written to.
  const require = createRequire(import.meta.url);
  if (!without.includes("traversal")) {
    const modules = [require("node:fs"), require("node:fs/promises")] as Members[];
    const watch = watcher(CLASSES.traversal, found);
    for (const members of modules) {
      for (const name of ONE_PATH) watch(members, { name, look: ([first]) => lookAtPath(first) });
      for (const name of TWO_PATHS) {
        watch(members, { name, look: ([a, b]) => lookAtPath(a) ?? lookAtPath(b) });
      }
    }
  }
  if (!without.includes("injection")) {
    const members = require("node:child_process") as Members;
    const watch = watcher(CLASSES.injection, found);
    for (const name of ["exec", "execSync"]) watch(members, { name, look: lookAtShell });
    for (const name of ["spawn", "spawnSync", "execFile", "execFileSync", "fork"]) {
      watch(members, { name, look: lookAtProgram });
    }
  }
  syncBuiltinESMExports();
}

function watcher(kind: string, found: (found: Found) => void) {
  const watchOne = (members: Members, { name, look }: { name: string; look: Look }) => {
    const theirs = members[name];
    if (typeof theirs !== "function") return;
    members[name] = new Proxy(theirs, {
      apply(call, self, args: unknown[]) {
        const wrong = look(args);
        if (wrong === undefined) return Reflect.apply(call, self, args);
        const message = `${name}: ${wrong}`;
        found({ class: kind, message, stack: stackHere() });
        throw Object.assign(new Error(`kcovfs: ${message}`), { code: "ENOENT" });
      },
    });
  };
  return (members: Members, { name, look }: { name: string; look: Look }) => {
    watchOne(members, { name, look });
    watchOne(members, { name: `${name}Sync`, look });
  };
}

const here = process.cwd();

/** A path that an input has led out of the working directory. Within it, it may be meant to. */
function lookAtPath(given: unknown): string | undefined {
  const text = pathOf(given);
  if (!text?.includes(CANARY)) return undefined;
  const full = path.resolve(text);
  const isWithin = [here, tmpdir()].some((folder) =>
    folder !== "/" && full.startsWith(`${folder}${path.sep}`)
  );
  return isWithin ? undefined : text;
}

function pathOf(given: unknown): string | undefined {
  if (typeof given === "string") return given;
  if (given instanceof Uint8Array) return Buffer.from(given).toString("latin1");
  if (!(given instanceof URL)) return undefined;
  try {
    return fileURLToPath(given);
  } catch {
    return undefined;
  }
}

function lookAtShell([command]: readonly unknown[]): string | undefined {
  return typeof command === "string" && runsCanary(command) ? command : undefined;
}

function lookAtProgram([file, args, options]: readonly unknown[]): string | undefined {
  if (typeof file !== "string") return undefined;
  const rest = Array.isArray(args) ? args.map(String) : [];
  const given = (Array.isArray(args) ? options : args) as { shell?: unknown } | undefined;
  if (given?.shell) return lookAtShell([[file, ...rest].join(" ")]);
  if (SHELLS.test(file) && rest[0] === "-c") return lookAtShell([rest[1]]);
  return path.basename(file).includes(CANARY) ? file : undefined;
}

/** Whether a shell would run the canary, rather than hand it to a command: told by what stands before it. */
export function runsCanary(command: string): boolean {
  let quote = "";
  // Where a command may begin: at the start, and behind what ends one.
  let isStart = true;
  for (let at = 0; at < command.length; at++) {
    const character = command[at];
    if (isStart && command.startsWith(CANARY, at)) return true;
    if (quote === "'") {
      if (character === "'") quote = "";
    } else if (character === "\\") {
      at++;
      isStart = false;
    } else if (character === "`" || (character === "$" && command[at + 1] === "(")) {
      if (character === "$") at++;
      isStart = true;
    } else if (character === '"') {
      quote = quote === '"' ? "" : '"';
      isStart = false;
    } else if (quote === '"') {
      if (!/\s/.test(character)) isStart = false;
    } else if (character === "'") {
      quote = "'";
      isStart = false;
    } else if (/[;&|\n(]/.test(character)) {
      isStart = true;
    } else if (!/\s/.test(character)) {
      isStart = false;
    }
  }
  return false;
}

// So that they are loaded, and their exports are made anew, whatever the user's module imports.
export const watchedModules = [childProcess, fs];
