/**
 * Runs the test files, each in a process of its own: units first, then what mounts and starts real
 * processes. Two run at a time, but those that keep both cores busy by themselves. The last line is
 * `N passed, N failed`.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** ms after which a test file is killed. */
const TIMEOUT = 20 * 60_000;
/** Folders whose tests come last, in this order. */
const LATE = ["cli", "e2e", "hostile"];
/** Files that run alone: they load the machine, or are about how long a client waits. */
const ALONE =
  /hostile\/(?:clock|crowds|faults|limits|stress|watchdog)_test|e2e\/(?:agreement|attach|behaviour|chromium|crash|family|inspector|large_area|several|short_lived|stability|trace_order|traced_crash|writers|\w*exactness)_test/;

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** Tests that failed, by their files. */
  readonly names: readonly string[];
}

function findTests(wanted: readonly string[]): string[] {
  const files = readdirSync(HERE, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith("_test.js"))
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
  const rank = (file: string) => LATE.indexOf(file.split("/")[0]);
  return files.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** uvu prints `Total:`, `Passed:` and `Skipped:`; a file that dies before that counts as one failure. */
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
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearTimeout(timer);
  process.stdout.write(`\n# ${file.replace(/\.js$/, ".ts")}\n${output}`);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const [total, passed] = [/Total:\s+(\d+)/, /Passed:\s+(\d+)/].map((pattern) =>
    Number(output.match(pattern)?.[1] ?? NaN)
  );
  if (Number.isNaN(total) || total === 0) {
    process.stdout.write(`FAIL: ${file} ended with status ${status} before its summary\n`);
    return { passed: 0, failed: 1, names: [`${file}: ended with status ${status}`] };
  }
  process.stdout.write(`  ${relative(".", file)}: ${seconds} s\n`);
  const names = [...output.matchAll(/^\s*FAIL\s+(.*)$/gm)].map(([, name]) => `${file}: ${name}`);
  if (passed < total) return { passed, failed: total - passed, names };
  if (status === 0) return { passed, failed: 0, names: [] };
  return { passed, failed: 1, names: [`${file}: ended with status ${status}`] };
}

const files = findTests(process.argv.slice(2));
let passed = 0;
let failed = 0;
const failures: string[] = [];

async function runFrom(queue: string[]): Promise<void> {
  for (let file = queue.shift(); file; file = queue.shift()) {
    const outcome = await runFile(file);
    passed += outcome.passed;
    failed += outcome.failed;
    failures.push(...outcome.names);
  }
}

const together = files.filter((file) => !ALONE.test(file));
await Promise.all([runFrom(together), runFrom(together)]);
await runFrom(files.filter((file) => ALONE.test(file)));
if (files.length === 0) failed = 1;
for (const name of failures) process.stdout.write(`\nFAILED ${name}`);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(failed > 0 ? 1 : 0);
