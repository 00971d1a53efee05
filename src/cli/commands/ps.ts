import type { Argv } from "yargs";
import { askServer } from "../../messages/control_client.ts";
import { counted, visibleJson } from "../../report/display_text.ts";
import { shownTargets } from "../../report/living_targets.ts";
import { formatTargets, formatUnprobed } from "../../report/targets.ts";
import type { Command } from "../command.ts";
import { findSocket } from "../find_server.ts";
import { withMount } from "../options.ts";

interface Arguments {
  readonly mount?: string;
  readonly all: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** `kcovfs ps` */
export const ps: Command = {
  command: "ps",
  describe: "list the targets that live",
  builder: (argv: Argv) =>
    withMount(argv)
      .option("all", {
        alias: "a",
        type: "boolean",
        default: false,
        describe: "also those that have ended, and how",
      })
      .option("json", { type: "boolean", default: false, describe: "as a JSON array" })
      .option("verbose", {
        alias: "v",
        type: "boolean",
        default: false,
        describe: "also which scripts have no probes, and why (--collector trace)",
      })
      .example("kcovfs ps --json", ""),
  async run(argv, io) {
    const { mount, all, json, verbose } = argv as unknown as Arguments;
    const socket = await findSocket(mount);
    const targets = await askServer(socket, "targets");
    const rows = shownTargets(targets, { all });
    const scripts = verbose ? await askServer(socket, "unprobed") : [];
    if (json) io.print(`${visibleJson(verbose ? { targets: rows, scripts } : rows)}\n`);
    else {
      io.print(formatTargets(rows) + (verbose ? formatUnprobed(scripts) : ""));
      const ended = counted(targets.length, "target has", "targets have");
      if (rows.length === 0 && targets.length > 0) io.warn(`${ended} ended; see 'kcovfs ps --all'`);
    }
    return 0;
  },
};
