import type { Argv } from "yargs";
import { askServer } from "../../messages/control_client.ts";
import { visibleJson } from "../../report/display_text.ts";
import { formatTargets, formatUnprobed } from "../../report/targets.ts";
import type { Command } from "../command.ts";
import { findSocket } from "../find_server.ts";
import { withMount } from "../options.ts";

/** `kcovfs ps` */
export const ps: Command = {
  command: "ps",
  describe: "list the targets",
  builder: (argv: Argv) =>
    withMount(argv)
      .option("json", { type: "boolean", default: false, describe: "as a JSON array" })
      .option("verbose", {
        alias: "v",
        type: "boolean",
        default: false,
        describe: "also which scripts have no probes, and why (--collector trace)",
      })
      .example("kcovfs ps --json", ""),
  async run(argv, io) {
    const { mount, json, verbose } = argv as { mount?: string; json?: boolean; verbose?: boolean };
    const socket = await findSocket(mount);
    const rows = await askServer(socket, "targets");
    const scripts = verbose ? await askServer(socket, "unprobed") : [];
    if (json) io.print(`${visibleJson(verbose ? { targets: rows, scripts } : rows)}\n`);
    else io.print(formatTargets(rows) + (verbose ? formatUnprobed(scripts) : ""));
    return 0;
  },
};
