import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Argv } from "yargs";
import { askServer } from "../../messages/control_client.ts";
import type { CoveredTarget, Since } from "../../messages/requests.ts";
import { type CoveredRecord, readCovered } from "../../symbols/covered_record.ts";
import { SourceStore } from "../../symbols/source_store.ts";
import { SymbolTable } from "../../symbols/symbol_table.ts";
import {
  type FormatName,
  isFile,
  renderReport,
  REPORT_FORMATS,
} from "../../report/coverage_report.ts";
import { reportFiles } from "../../report/report_files.ts";
import { reportPath } from "../../report/report_path.ts";
import { sourcesFolder, symbolFile } from "../../symbols/symbol_file.ts";
import type { Command, Io } from "../command.ts";
import { findSocket, isServerMeant } from "../find_server.ts";
import { DEFAULT_STATE, withMount } from "../options.ts";
import { ProgressBar } from "../progress_bar.ts";
import { UserError } from "../../base/user_error.ts";

interface Arguments {
  readonly mount?: string;
  readonly state?: string;
  readonly format: FormatName;
  readonly out?: string;
  readonly since: Since;
  readonly reset: boolean;
  readonly target?: readonly string[];
  readonly "by-target": boolean;
}

const NOTHING = "nothing has executed yet; start a target with 'kcovfs run'";

/** `kcovfs report` */
export const report: Command = {
  command: "report",
  describe: "what has been covered, as text, lcov, HTML or JSON",
  builder: (argv: Argv) =>
    withMount(argv)
      .option("state", {
        type: "string",
        requiresArg: true,
        describe: "the state folder of a server that has ended, to report on that",
      })
      .option("format", {
        choices: Object.keys(REPORT_FORMATS) as FormatName[],
        default: "text" as FormatName,
        describe: "text and summary go to the terminal, the others into a folder",
      })
      .option("out", {
        type: "string",
        requiresArg: true,
        describe: "the folder [default: coverage]",
      })
      .option("since", {
        choices: ["start", "reset"] as const,
        default: "start" as const,
        describe: "since the server started, or since the last 'kcovfs report --reset'",
      })
      .option("reset", {
        type: "boolean",
        default: false,
        describe: "after this report, '--since reset' begins anew",
      })
      .option("target", {
        type: "string",
        array: true,
        nargs: 1,
        describe: "only what the target of this name has executed; repeatable",
      })
      .option("by-target", {
        type: "boolean",
        default: false,
        describe: "a report for each target, in a folder of its name, instead of one for all",
      })
      .example("kcovfs report --format html", "writes coverage/index.html"),
  async run(argv, io) {
    const options = argv as unknown as Arguments;
    const { state, targets } =
      await (await isServed(options) ? askFor(options) : readFor(options, io));
    const chosen = choose(targets, options.target);
    const groups = options["by-target"]
      ? chosen.map((target) => ({ name: target.name, targets: [target] }))
      : [{ name: undefined, targets: chosen }];
    for (const group of groups) await write(group, { ...options, state, io });
    return 0;
  },
};

/** The targets to report on, and the folder of their symbols. */
interface Covered {
  readonly state: string;
  readonly targets: readonly CoveredTarget[];
}

/**
 * Whether the report is on a running server. Otherwise it is on one that has ended: its state folder is
 * named, or none runs.
 */
async function isServed({ mount, state }: Arguments): Promise<boolean> {
  return state === undefined && await isServerMeant(mount);
}

async function askFor({ mount, since, reset }: Arguments): Promise<Covered> {
  const socket = await findSocket(mount);
  const { state } = await askServer(socket, "server");
  return { state, targets: await askServer(socket, "covered", { since, isReset: reset }) };
}

/** Reads the record of the last server, and first prints whose it was and when it ended. */
async function readFor({ since, reset, ...options }: Arguments, io: Io): Promise<Covered> {
  const state = resolve(options.state ?? DEFAULT_STATE);
  const record = await recordIn(state);
  if (reset) {
    throw new UserError("Cannot reset: that takes a server that runs; say which with --mount");
  }
  if (!record) {
    const what = "nothing is mounted, and no server of it has ended; run 'kcovfs mount DIR' first";
    throw new UserError(`Cannot report on ${state}: ${what}`);
  }
  const { date, uid } = record;
  const when = date.toISOString().replace(/\.\d+Z$/, "Z");
  const whose = `${await userName(uid)}'s server in ${state} that ended at ${when}`;
  if (options.state === undefined && uid !== process.getuid?.()) {
    throw new UserError(
      `Cannot choose a run: nothing is mounted, and there is ${whose}; if you mean that, say --state ${state}`,
    );
  }
  const targets = record.targets[since];
  io.warn(
    `this is of ${whose}; its targets: ${targets.map(({ name }) => name).join(", ") || "none"}`,
  );
  return { state, targets };
}

async function recordIn(state: string): Promise<CoveredRecord | undefined> {
  try {
    return await readCovered(state);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isOthers = code === "EACCES" || code === "EPERM";
    const reason = isOthers ? "it is another user's; say --state, or run with sudo" : message;
    throw new UserError(`Cannot report on ${state}: ${reason}`);
  }
}

/** By `passwd(5)`; for a user that is not in there, the number. */
async function userName(uid: number): Promise<string> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  const user = users.split("\n").map((line) => line.split(":")).find((user) =>
    user[2] === String(uid)
  );
  return user?.[0] || `user ${uid}`;
}

function choose(
  targets: readonly CoveredTarget[],
  names: readonly string[] | undefined,
): readonly CoveredTarget[] {
  if (targets.length === 0) throw new UserError(`Cannot report: ${NOTHING}`);
  for (const name of names ?? []) {
    if (targets.some((target) => target.name === name)) continue;
    const known = targets.map(({ name }) => name).join(", ");
    throw new UserError(`Cannot report on ${name}: there has been no such target, but ${known}`);
  }
  return names ? targets.filter(({ name }) => names.includes(name)) : targets;
}

async function write(
  { name, targets }: { name: string | undefined; targets: readonly CoveredTarget[] },
  { format, out = "coverage", state, io }: Arguments & { state: string; io: Io },
): Promise<void> {
  using symbols = SymbolTable.open(symbolFile(state), { isReadOnly: true });
  await using sources = new SourceStore(sourcesFolder(state));
  using bar = new ProgressBar("files");
  const files = await reportFiles(targets, {
    symbols,
    sources,
    progress: (done, total) => bar.update(done, total),
  });
  bar[Symbol.dispose]();
  const folder = name === undefined ? resolve(out) : resolve(out, within(reportPath(name)));
  if (name !== undefined && !isFile(format)) io.print(`${name}\n`);
  const columns = process.stdout.columns;
  try {
    const file = await renderReport(files, { format, folder, ...(columns && { columns }) });
    if (file) io.print(`${file}\n`);
  } catch (error) {
    throw new UserError(`Cannot write the report into ${folder}: ${(error as Error).message}`);
  }
}

/** A path that cannot lead out of the folder that it is resolved against. */
function within(path: string): string {
  return path.replace(/^\/+/, "");
}
