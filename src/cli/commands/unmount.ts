import type { Argv } from "yargs";
import { isMounted, unmountFuse } from "../../fuse/mod.ts";
import { SUBTYPE } from "../../server/server.ts";
import type { Command } from "../command.ts";
import { UserError } from "../../base/user_error.ts";

/** `kcovfs unmount` */
export const unmount: Command = {
  command: "unmount <dir>",
  describe: "unmount, also when clients are using it or its server is dead",
  builder: (argv: Argv) =>
    argv
      .positional("dir", { type: "string", demandOption: true, describe: "where it is mounted" })
      .example("kcovfs unmount /mnt/kcov", ""),
  async run(argv, io) {
    const { dir } = argv as unknown as { dir: string };
    if (!await isMounted(dir, { subtype: SUBTYPE })) {
      throw new UserError(
        `Cannot unmount ${dir}: kcovfs is not mounted there; see 'mount -t fuse.kcovfs'`,
      );
    }
    const { busy } = await unmountFuse(dir);
    if (busy) io.warn(`${dir} was in use: its clients have been cut off`);
    return 0;
  },
};
