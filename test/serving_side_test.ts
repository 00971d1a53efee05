/**
 * No thread that a client may be waiting for takes a lock of a client's by reading `/proc`: other threads
 * read it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const serving = suite("the serving side");

const SRC = fileURLToPath(new URL("../../src", import.meta.url));
/** Code that is loaded into targets, and commands: no client waits for them. */
const ELSEWHERE = /^(?:agent|cli|deno|doctor|watchdog)\//;
/** A path to another process's or thread's entry in `/proc`. */
const ENTRY = /\/proc\/(?:\$\{[^}]+\}|\[0-9)[^`"'\s]*/g;
/**
 * The modules that read such entries, and the modules that may load them: a process or thread nobody waits
 * for.
 */
const READERS: Readonly<Record<string, readonly string[]>> = {
  "base/process_facts.ts": ["base/process_reader_main.ts"],
  "base/process_reader_main.ts": [],
  "base/thread_facts.ts": ["base/thread_facts_worker.ts"],
  // Of `run-input`, which has no server.
  "fuzzing/harness_process.ts": [],
};
/** Entries whose reading takes no lock of the process: see `fs/proc/base.c` and `fs/proc_namespace.c`. */
const LOCKLESS: Readonly<Record<string, string>> = {
  // `proc_pid_schedstat` prints three numbers of the task's.
  "targets/thread_activity.ts": "/proc/${pid}/task/${tid}/schedstat",
  // `mounts_open_common` takes the mount namespace's lock; it is read once, before anything is served.
  "fuse/mount_table.ts": "/proc/${pid}/mountinfo",
};

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.c?ts$/.test(file) && !ELSEWHERE.test(file))
  .map((file) => ({ file, text: readFileSync(join(SRC, file), "utf8") }));

serving("reads a client's entry in /proc nowhere but where nobody waits", () => {
  const found = files.flatMap(({ file, text }) => {
    const code = text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
    return [...code.matchAll(ENTRY)].map(([entry]) => ({ file, entry }));
  });
  assert.ok(found.length >= 10, "the readers are seen");
  const wrong = found.filter(({ file, entry }) => !(file in READERS) && LOCKLESS[file] !== entry);
  assert.equal(wrong, []);
});

serving("loads what reads such entries in no other thread or process", () => {
  const wrong = files.flatMap(({ file, text }) =>
    [...text.matchAll(/^(?:import|export)\s(?!type\b)[^]*?from "([^"]+)";/gm)].flatMap(
      ([line, from]) => {
        const reader = Object.keys(READERS).find((path) =>
          from.endsWith(path.replace("base/", "/"))
        );
        const isOnlyTypes = /\{(?:\s*type [^,}]+,?)+\s*\}/.test(line);
        return reader && !isOnlyTypes && !READERS[reader].includes(file)
          ? [`${file} loads ${from}`]
          : [];
      },
    )
  );
  assert.equal(wrong, []);
});

serving.run();
