import { resolve } from "node:path";
import type { Argv } from "yargs";
import { checkCommand } from "../check_command.ts";
import { start, waitFor } from "../child.ts";
import { type Command, commandAfterDashes } from "../command.ts";
import { describeWay } from "../describe_way.ts";
import { deniesReading } from "../denied_reads.ts";
import { PRELOAD } from "../target_environment.ts";
import { environmentFor, type TargetArguments, withTarget } from "../target_options.ts";

/** `kcovfs run` */
export const run: Command = {
  command: "run",
  describe: "start a command as a target of a running server",
  usage: "kcovfs run [options] -- CMD...",
  builder: (argv: Argv) =>
    withTarget(argv)
      .example("kcovfs run --name api -- node server.js", "")
      .example(
        "kcovfs run --exclude '**/node_modules/**' -- node server.js",
        "a script must pass the server's globs and these",
      ),
  async run(argv, io) {
    const command = commandAfterDashes(argv);
    checkCommand(command);
    const isDenied = deniesReading(command, PRELOAD);
    if (isDenied) {
      const folder = resolve(PRELOAD, "../../../../..");
      const reason = `Node's permission model denies reading kcovfs (--allow-fs-read=${folder}/)`;
      io.warn(`${reason}: running without coverage`);
    }
    const { env, server } = await environmentFor(argv as unknown as TargetArguments, { isDenied });
    // Unless stderr is a terminal, programs may read it.
    if (process.stderr.isTTY) io.warn(describeWay(server));
    return await waitFor(await start(command, { env, stdio: "inherit" }));
  },
};
