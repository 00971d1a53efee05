import type { Argv } from "yargs";
import { checkCommand } from "../check_command.ts";
import { type Command, commandAfterDashes } from "../command.ts";
import { checkForKcov, runWithKcov } from "../fuzz_session.ts";
import { type ServerArguments, withServer } from "../options.ts";

type Arguments = ServerArguments & { readonly "keep-running": boolean };

/** `kcovfs fuzz` */
export const fuzz: Command = {
  command: "fuzz",
  describe: "run a fuzzer with kcov at /sys/kernel/debug/kcov and the Node it starts as targets",
  usage: "kcovfs fuzz [options] -- CMD...",
  builder: (argv: Argv) =>
    withServer(argv)
      .option("keep-running", {
        type: "boolean",
        default: false,
        describe: "serve what the command has left running until that ends, instead of ending it",
      })
      .example(
        "kcovfs fuzz -- ./fuzzer node server.js",
        "what ./fuzzer starts with Node is what it reads the coverage of",
      ),
  async run(argv, io) {
    const options = argv as unknown as Arguments;
    const command = commandAfterDashes(argv);
    checkCommand(command);
    checkForKcov();
    return await runWithKcov(command, { options, io });
  },
};
