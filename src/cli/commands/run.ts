import type { Argv } from "yargs";
import { start, waitFor } from "../child.ts";
import { type Command, commandAfterDashes } from "../command.ts";
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
  async run(argv) {
    const command = commandAfterDashes(argv);
    const env = await environmentFor(argv as unknown as TargetArguments);
    return await waitFor(await start(command, { env, stdio: "inherit" }));
  },
};
