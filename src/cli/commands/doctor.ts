import type { Argv } from "yargs";
import { examine, type Finding } from "../../doctor/mod.ts";
import { SUBTYPE } from "../../server/server.ts";
import type { Command } from "../command.ts";
import { findSocket } from "../find_server.ts";

/** `kcovfs doctor` */
export const doctor: Command = {
  command: "doctor",
  describe: "tell what this machine lacks, and the command that mends it",
  builder: (argv: Argv) =>
    argv
      .option("json", { type: "boolean", default: false, describe: "as a JSON array" })
      .example("kcovfs doctor", "ends with status 1 where there is a fault"),
  async run(argv, io) {
    const { json } = argv as { json?: boolean };
    const findings: Finding[] = [];
    for await (const finding of examine({ type: `fuse.${SUBTYPE}`, findSocket })) {
      findings.push(finding);
      if (!json) io.print(format(finding));
    }
    if (json) io.print(`${JSON.stringify(findings, null, 2)}\n`);
    return findings.some(({ verdict }) => verdict === "fault") ? 1 : 0;
  },
};

function format({ name, verdict, detail, remedy }: Finding): string {
  const line = `${verdict.padEnd(8)} ${name.padEnd(17)} ${detail}\n`;
  return remedy ? `${line}${" ".repeat(27)}${remedy}\n` : line;
}
