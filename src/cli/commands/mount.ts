import type { Argv } from "yargs";
import { checkRoot } from "../../fuse/mod.ts";
import { mountServer } from "../../mounted_server.ts";
import { startSelfCoverage } from "../../targets/self_link.ts";
import type { Command } from "../command.ts";
import { type ServerArguments, serverOptions, withServer } from "../options.ts";

/** `kcovfs mount` */
export const mount: Command = {
  command: "mount <dir>",
  describe: "serve kcov on a directory until SIGINT or SIGTERM",
  builder: (argv: Argv) =>
    withServer(argv)
      .positional("dir", { type: "string", demandOption: true, describe: "an empty directory" })
      .example("kcovfs mount /mnt/kcov", "prints 'kcovfs: mounted on /mnt/kcov' when it is ready"),
  async run(argv, io) {
    const options = argv as unknown as ServerArguments & { dir: string };
    checkRoot(options.dir);
    const self = options.self ? io.self ?? startSelfCoverage() : undefined;
    const mounted = await mountServer(
      options.dir,
      serverOptions(options, { warn: io.warn, ...(self && { self }) }),
    );
    const stop = new Promise<void>((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
    });
    io.print(`kcovfs: mounted on ${options.dir}\n`);
    try {
      await Promise.race([stop, mounted.ended]);
    } finally {
      await mounted[Symbol.asyncDispose]();
    }
    return 0;
  },
};
