/**
 * Runs the test files, each in a process of its own. Two run at a time, the longest first. Files that measure
 * time, or keep both cores busy on purpose, run alone at the end. Tests that cannot run here are listed
 * with the reason. The last line is `N passed, N failed`.
 */
import { spawn } from "node:child_process";
import { closeSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { IS_LONG } from "./rounds.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** ms after which a test file is killed. */
const TIMEOUT = (IS_LONG ? 60 : 20) * 60_000;
/** How many files run at a time. */
const LANES = 2;
const O_CLOEXEC = 0o2000000;

/** Files that measure time, or that keep both cores busy. */
const ALONE: readonly string[] = [
  "e2e/crash_wait",
  "e2e/exactness_busy",
  "hostile/crowds",
  "hostile/stress",
];
/** The files that take longest, in descending order: so the lanes end together. */
const LONGEST: readonly string[] = [
  "e2e/attach_probes",
  "e2e/chromium",
  "e2e/exactness",
  "e2e/traced_exactness",
  "e2e/attach",
  "hostile/start",
  "e2e/folded",
  "e2e/libfuzzer",
  "e2e/afl_command",
  "e2e/run_input",
  "e2e/as_written",
  "e2e/behaviour",
  "e2e/agreement",
  "e2e/family",
  "e2e/report",
  "e2e/short_lived",
  "e2e/several",
  "e2e/stability",
  "hostile/faults",
  "agent/hold",
  "cli/server_commands",
  "e2e/crash",
  "e2e/inspector",
  "e2e/traced_crash",
  "e2e/writers",
  "e2e/trace_order",
  "e2e/suites",
  "agent/exit",
  "cli/usage",
  "probes/sources_truth",
  "blocks/block_table_truth",
  "hostile/model",
  "hostile/limits",
  "hostile/doors",
  "e2e/package",
  "e2e/executor",
];

/** The result of a file. */
interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** Tests that failed, by their files. */
  readonly failures: readonly string[];
  /** Tests that were skipped, by their files, with the reason. */
  readonly skips: readonly string[];
}

/** The files whose names contain one of these, in the order in which they begin. */
function findTests(wanted: readonly string[]): string[] {
  const all = readdirSync(HERE, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith("_test.js"));
  const unknown = [...ALONE, ...LONGEST].filter((name) => !all.includes(`${name}_test.js`));
  if (unknown.length > 0) throw new Error(`test/run.ts names ${unknown}, which there is not`);
  const files = all
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
  const rank = (file: string) => {
    const at = LONGEST.indexOf(nameOf(file));
    return at < 0 ? LONGEST.length : at;
  };
  return files.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function nameOf(file: string): string {
  return file.replace(/_test\.js$/, "");
}

/** Runs a file to its end, and prints all its output. */
async function runFile(file: string): Promise<Outcome> {
  const began = performance.now();
  const child = spawn(process.execPath, [join(HERE, file)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, UV_THREADPOOL_SIZE: "16" },
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  const status = await new Promise<number | string | null>((resolve) =>
    child.on("close", (status, signal) => resolve(signal ?? status))
  );
  clearTimeout(timer);
  const source = file.replace(/\.js$/, ".ts");
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stdout.write(`\n# ${source}\n${output}  ${source}: ${seconds} s\n`);
  return outcomeOf(source, output, status);
}

/** uvu prints `Total:`, `Passed:` and `Skipped:`; a file that dies before that counts as one failure. */
function outcomeOf(file: string, output: string, status: number | string | null): Outcome {
  const [total, passed, skipped] = ["Total", "Passed", "Skipped"].map((name) =>
    Number(output.match(`${name}:\\s+(\\d+)`)?.[1] ?? NaN)
  );
  const lines = (word: string) =>
    [...output.matchAll(new RegExp(`^\\s*${word}\\s+(.*)$`, "gm"))].map(([, rest]) =>
      `${file}: ${rest}`
    );
  const skips = lines("SKIPPED");
  if (passed < total) return { passed, failed: total - passed, failures: lines("FAIL"), skips };
  const ended = `ended with status ${status}`;
  const wrong = !(total + skipped > 0)
    ? `${ended} before its summary`
    : skips.length !== skipped
    ? `skipped ${skipped} tests and said so of ${skips.length}`
    : status !== 0
    ? ended
    : undefined;
  if (wrong === undefined) return { passed, failed: 0, failures: [], skips };
  return { passed: passed || 0, failed: 1, failures: [`${file}: ${wrong}`], skips };
}

/**
 * Closes descriptors that this process has inherited besides 0, 1 and 2: its children would inherit them,
 * too.
 */
function closeInherited(): void {
  for (const fd of readdirSync("/proc/self/fd").map(Number)) {
    if (fd <= 2) continue;
    try {
      const [, flags] = readFileSync(`/proc/self/fdinfo/${fd}`, "latin1").match(
        /^flags:\s+(\d+)/m,
      )!;
      // Node's own descriptors have this flag.
      if ((parseInt(flags, 8) & O_CLOEXEC) === 0) closeSync(fd);
    } catch {
      // This was the descriptor of the folder that was read.
    }
  }
}

closeInherited();
const outcomes: Outcome[] = [];

async function runFrom(queue: string[]): Promise<void> {
  for (let file = queue.shift(); file; file = queue.shift()) outcomes.push(await runFile(file));
}

const files = findTests(process.argv.slice(2));
const isAlone = (file: string) => ALONE.includes(nameOf(file));
const together = files.filter((file) => !isAlone(file));
await Promise.all(Array.from({ length: LANES }, () => runFrom(together)));
await runFrom(files.filter(isAlone));
for (const { skips } of outcomes) {
  for (const skip of skips) process.stdout.write(`\nSKIPPED ${skip}`);
}
for (const { failures } of outcomes) {
  for (const failure of failures) process.stdout.write(`\nFAILED ${failure}`);
}
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
const passed = sum(outcomes.map((outcome) => outcome.passed));
const failed = files.length === 0 ? 1 : sum(outcomes.map((outcome) => outcome.failed));
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(failed > 0 ? 1 : 0);
