/**
 * Whether programs notice probes: runs the suites of `same_program_suites.ts` plain and with probes, while a
 * client is enabled, and compares what they say, line by line. The table is in `docs/same_program.md`.
 *
 * It downloads: repositories from GitHub, or from what `KCOVFS_SUITES_FROM` has in its place, and packages from npm.
 * They stay in `KCOVFS_SUITES`, by default a folder of the temporary one, with what the suites said last.
 * Run it with `npm run suites -- [NAME...]`; `KCOVFS_SUITES_NODES="Node 24"` takes some of the runtimes.
 */
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  compileFile,
  execute,
  type Finished,
  lineWith,
  NODES,
  Scene,
} from "../test/e2e/harness.ts";
import { MASKS, type Suite, SUITES } from "./same_program_suites.ts";

const FROM = process.env["KCOVFS_SUITES_FROM"] ?? "https://github.com";
const FOLDER = process.env["KCOVFS_SUITES"] ?? join(tmpdir(), "kcovfs-suites");
const SAID = join(FOLDER, "said");
const TIMEOUT_MS = 280_000;
const CLIENT = fileURLToPath(
  new URL("../../bench/same_program.c", import.meta.url),
);

/** Puts a command line of a shell into a suite's folder. */
function shell(suite: Suite, line: string): string[] {
  return [
    "sh",
    "-c",
    `cd "$0" && ${line}`,
    join(FOLDER, suite.name, suite.folder ?? "."),
  ];
}

async function must(command: readonly string[]): Promise<void> {
  const { status, stderr } = await execute(command, { timeout: TIMEOUT_MS });
  if (status !== 0) throw new Error(`'${command.join(" ")}' failed: ${stderr}`);
}

/** Has a suite's files and what they need, unless it has them already. */
async function download(suite: Suite): Promise<void> {
  const folder = join(FOLDER, suite.name);
  if (!existsSync(folder)) {
    await must(["git", "init", "-q", folder]);
    const git = ["git", "-C", folder];
    await must([
      ...git,
      "fetch",
      "-q",
      "--depth",
      "1",
      `${FROM}/${suite.repository}`,
      suite.commit,
    ]);
    await must([...git, "checkout", "-q", "FETCH_HEAD"]);
  }
  if (existsSync(join(folder, suite.folder ?? ".", "node_modules"))) return;
  const isLocked = existsSync(join(folder, "package-lock.json"));
  const install = suite.install ?? (isLocked ? "ci" : "install");
  await must(
    shell(suite, `npm ${install} --ignore-scripts --no-audit --no-fund`),
  );
}

/** The environment of a suite's commands: `node`, and the commands of its packages. */
function environment(suite: Suite, node: string): NodeJS.ProcessEnv {
  const folder = join(FOLDER, "bin", node.replaceAll("/", "_"));
  mkdirSync(folder, { recursive: true });
  rmSync(join(folder, "node"), { force: true });
  symlinkSync(node, join(folder, "node"));
  const packages = join(
    FOLDER,
    suite.name,
    suite.folder ?? ".",
    "node_modules/.bin",
  );
  const PATH = `${folder}:${packages}:${process.env["PATH"]}`;
  return { PATH, NO_COLOR: "1", CI: "1", ...suite.env };
}

/** A run's output, without the parts that differ from one run to the next. */
function lines(
  { stdout, stderr, status, signal }: Finished,
  suite: Suite,
): string[] {
  const all = `${stdout}\n--- stderr\n${stderr}\n--- ended with ${status ?? signal}`;
  const masked = [...MASKS, ...suite.masks ?? []].reduce(
    (text, [mask, instead]) => text.replaceAll(mask, instead),
    all,
  );
  return masked.split("\n");
}

function countLines(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

/** Lines that the run with probes has more often, or less often, than each of the plain ones. */
function differences(
  plain: readonly string[][],
  probed: readonly string[],
): string[] {
  const [ours, ...theirs] = [probed, ...plain].map(countLines);
  const all = new Set([
    ...ours.keys(),
    ...theirs.flatMap((counts) => [...counts.keys()]),
  ]);
  return [...all].flatMap((line) => {
    const expected = theirs.map((counts) => counts.get(line) ?? 0);
    const found = ours.get(line) ?? 0;
    if (found > Math.max(...expected)) return [`+ ${line}`];
    return found < Math.min(...expected) ? [`- ${line}`] : [];
  });
}

/** How many tests there were: lines that match, or the sum of the numbers that they have in a group. */
function tests({ stdout, stderr }: Finished, { test }: Suite): number {
  let count = 0;
  for (const [, number = "1"] of `${stdout}\n${stderr}`.matchAll(test)) {
    count += Number(number);
  }
  return count;
}

/** A suite's run with probes, and what was measured. */
async function probe(
  suite: Suite,
  run: (before: readonly string[]) => Promise<Finished>,
) {
  await using scene = new Scene();
  await scene.serve("--collector", "auto");
  await lineWith(scene.start([compileFile(CLIENT), scene.kcov]), "enabled");
  const said = await run(scene.run(suite.name));
  const targets = await scene.targets();
  const without = targets.filter(({ collector }) => collector !== "trace").length;
  const scripts = targets.reduce((sum, target) => sum + target.scripts, 0);
  return {
    said,
    measured: `${targets.length} targets (${without} counted), ${scripts} scripts`,
  };
}

/** Runs a suite on a runtime both ways, and plain once more if there is a difference. */
async function compare(
  suite: Suite,
  [runtime, node]: [string, string],
): Promise<string> {
  const env = environment(suite, node);
  const command = shell(suite, suite.command);
  const seconds: string[] = [];
  const run = async (before: readonly string[]) => {
    const began = performance.now();
    const said = await execute([...before, ...command], {
      env,
      timeout: TIMEOUT_MS,
    });
    seconds.push(((performance.now() - began) / 1000).toFixed(0));
    return said;
  };
  const keep = (said: Finished, name: string) => {
    const masked = lines(said, suite);
    const file = join(
      SAID,
      `${suite.name}-${runtime.replace(" ", "")}-${name}`,
    );
    writeFileSync(file, masked.join("\n"));
    return masked;
  };
  const first = await run([]);
  const plain = [keep(first, "plain")];
  const { said, measured } = await probe(suite, run);
  const probed = keep(said, "probed");
  let found = differences(plain, probed);
  if (found.length > 0) {
    plain.push(keep(await run([]), "again"));
    found = differences(plain, probed);
  }
  const result = found.length === 0 ? "identical" : `${found.length} lines differ`;
  const unsteady = plain.length > 1 ? `, ${differences([plain[0]], plain[1]).length} unsteady` : "";
  return [
    `${suite.name}, ${runtime}: ${tests(first, suite)} tests, ended with ${first.status}; ` +
    `${measured}; ${seconds.join(" ")} s; ${result}${unsteady}`,
    ...found.slice(0, 40).map((line) => `  ${line.slice(0, 300)}`),
  ].join("\n");
}

async function main(names: readonly string[]): Promise<void> {
  mkdirSync(SAID, { recursive: true });
  const runtimes = process.env["KCOVFS_SUITES_NODES"]?.split(",") ??
    Object.keys(NODES);
  for (const suite of SUITES) {
    if (names.length > 0 && !names.includes(suite.name)) continue;
    await download(suite);
    for (const runtime of suite.runtimes ?? Object.keys(NODES)) {
      if (!runtimes.includes(runtime)) continue;
      process.stdout.write(
        `${await compare(suite, [runtime, NODES[runtime]])}\n`,
      );
    }
  }
}

await main(process.argv.slice(2));
