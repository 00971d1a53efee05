import { resolve } from "node:path";
import type { Argv } from "yargs";
import type { CoveredTarget, Since } from "../../messages/requests.ts";
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
import { coveredBy } from "../covered_by.ts";
import { withMount } from "../options.ts";
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
    const { state, targets } = await coveredBy(options, { task: "report on", io });
    const chosen = choose(targets, options.target);
    const groups = options["by-target"]
      ? chosen.map((target) => ({ name: target.name, targets: [target] }))
      : [{ name: undefined, targets: chosen }];
    for (const group of groups) await write(group, { ...options, state, io });
    return 0;
  },
};

function choose(
  targets: readonly CoveredTarget[],
  names: readonly string[] | undefined,
): readonly CoveredTarget[] {
  if (targets.length === 0) throw new UserError(`Cannot report: ${NOTHING}`);
  for (const name of names ?? []) {
    if (targets.some((target) => target.name === name)) continue;
    const known = targets.map(({ name }) => name).join(", ");
    throw new UserError(
      `Cannot report on ${name}: no measured code of such a target has run, but of ${known}; see 'kcovfs ps'`,
    );
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
