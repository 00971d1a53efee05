import type { Argv } from "yargs";
import { askServer } from "../../messages/control_client.ts";
import type { Command } from "../command.ts";
import { findSocket } from "../find_server.ts";
import { withMount } from "../options.ts";

/** `kcovfs detach` */
export const detach: Command = {
  command: "detach <target>",
  describe: "let a target go on without coverage, as it was before",
  builder: (argv: Argv) =>
    withMount(argv)
      .positional("target", {
        type: "string",
        demandOption: true,
        describe: "its name or its number; see 'kcovfs ps'",
      })
      .example("kcovfs detach api", ""),
  async run(argv, io) {
    const { mount, target } = argv as unknown as { mount?: string; target: string };
    const rows = await askServer(await findSocket(mount), "detach", { target: String(target) });
    for (const { name, pid } of rows) io.print(`kcovfs: detached ${name} (pid ${pid})\n`);
    return 0;
  },
};
