import type { Argv } from "yargs";
import { askServer } from "../../control_client.ts";
import { start, waitFor } from "../child.ts";
import { type Command, commandAfterDashes } from "../command.ts";
import { findSocket } from "../find_server.ts";
import { type GlobArguments, withGlobs, withMount } from "../options.ts";
import { targetEnvironment } from "../target_environment.ts";

/** `kcovfs run` */
export const run: Command = {
  command: "run",
  describe: "start a command as a target of a running server",
  usage: "kcovfs run [options] -- CMD...",
  builder: (argv: Argv) =>
    withGlobs(withMount(argv))
      .option("name", {
        type: "string",
        requiresArg: true,
        describe: "what the target is called [default: the script's name]",
      })
      .example("kcovfs run --name api -- node server.js", "")
      .example(
        "kcovfs run --exclude '**/node_modules/**' -- node server.js",
        "a script must pass the server's globs and these",
      ),
  async run(argv) {
    const { mount, name, include, exclude } = argv as unknown as GlobArguments & {
      mount?: string;
      name?: string;
    };
    const command = commandAfterDashes(argv);
    const socket = await findSocket(mount);
    const { collector } = await askServer(socket, "server");
    const env = targetEnvironment(socket, { name, include, exclude, collector });
    return await waitFor(await start(command, { env, stdio: "inherit" }));
  },
};
