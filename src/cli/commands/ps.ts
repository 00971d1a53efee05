import type { Argv } from "yargs";
import { askServer } from "../../control_client.ts";
import { formatTargets } from "../../report/targets.ts";
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
      .example("kcovfs ps --json", ""),
  async run(argv, io) {
    const { mount, json } = argv as { mount?: string; json?: boolean };
    const rows = await askServer(await findSocket(mount), "targets");
    io.print(json ? `${JSON.stringify(rows, null, 2)}\n` : formatTargets(rows));
    return 0;
  },
};
