import { resolve } from "node:path";
import type { Argv } from "yargs";
import { checkRoot } from "../../fuse/mod.ts";
import { mountServer } from "../../server/mounted_server.ts";
import { startSelfCoverage } from "../../targets/self_link.ts";
import { serviceManager } from "../service_manager.ts";
import type { Command } from "../command.ts";
import { describeWay } from "../describe_way.ts";
import { type ServerArguments, serverOptions, withServer } from "../options.ts";

/** `kcovfs mount` */
export const mount: Command = {
  command: "mount <dir>",
  describe: "serve kcov on a directory until SIGINT or SIGTERM",
  builder: (argv: Argv) =>
    withServer(argv)
      .option("namespace", {
        type: "string",
        requiresArg: true,
        describe: "mount in this mount namespace, such as /proc/1/ns/mnt [default: one's own]",
      })
      .option("over", {
        type: "boolean",
        default: false,
        describe: "mount on a directory that is not empty, and so hide what is in it",
      })
      .positional("dir", { type: "string", demandOption: true, describe: "an empty directory" })
      .example("kcovfs mount /mnt/kcov", "prints 'kcovfs: mounted on /mnt/kcov' when it is ready"),
  async run(argv, io) {
    const options = argv as unknown as ServerArguments & {
      dir: string;
      namespace?: string;
      over: boolean;
    };
    checkRoot(options.dir);
    const self = options.self ? io.self ?? startSelfCoverage() : undefined;
    const { dir, namespace, over } = options;
    const mounted = await mountServer(dir, {
      ...serverOptions(options, { reporter: io, ...(self && { self }) }),
      namespace,
      isEmpty: !over,
    });
    const stop = new Promise<void>((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
    });
    io.print(`kcovfs: mounted on ${resolve(dir)} (${describeWay(await mounted.server.facts)})\n`);
    const manager = serviceManager(io);
    manager.tell("READY=1", `STATUS=mounted on ${resolve(dir)}`);
    try {
      await Promise.race([stop, mounted.ended]);
    } finally {
      manager.tell("STOPPING=1");
      await mounted[Symbol.asyncDispose]();
    }
    return 0;
  },
};
