import type { Argv } from "yargs";
import { askServer } from "../../messages/control_client.ts";
import { parseAddress } from "../../targets/attach/address.ts";
import type { Command } from "../command.ts";
import { findSocket } from "../find_server.ts";
import { withGlobs, withMount } from "../options.ts";
import { USAGE, UserError } from "../../base/user_error.ts";

interface Arguments {
  readonly address: string;
  readonly mount?: string;
  readonly name?: string;
  readonly include: string[];
  readonly exclude: string[];
  readonly "allow-remote"?: boolean;
}

/** `kcovfs attach` */
export const attach: Command = {
  command: "attach <address>",
  describe: "make a target of what runs already: a process, or an inspector's address",
  builder: (argv: Argv) =>
    withGlobs(withMount(argv), { of: " of it", fallback: ["the server's", "the server's"] })
      .positional("address", {
        type: "string",
        demandOption: true,
        describe: "PID of a Node process, HOST:PORT of an inspector, or its ws://... URL",
      })
      .option("name", {
        type: "string",
        requiresArg: true,
        describe: "what the target is called [default: the script's name]",
      })
      // Accepted because older versions had it here.
      .option("allow-remote", { type: "boolean", hidden: true })
      .example("kcovfs attach 4711", "a Node process, by its process id")
      .example("kcovfs attach 127.0.0.1:9229", "what was started with --inspect")
      .example("kcovfs attach localhost:9222", "a Chromium with --remote-debugging-port=9222"),
  async run(argv, io) {
    const options = argv as unknown as Arguments;
    const { name, include, exclude } = options;
    const address = String(options.address);
    if (options["allow-remote"]) {
      throw new UserError(
        "--allow-remote is an option of the server: start it with 'kcovfs mount --allow-remote'",
        { status: USAGE },
      );
    }
    checkAddress(address);
    const rows = await askServer(await findSocket(options.mount), "attach", {
      address,
      ...(name && { name }),
      include,
      exclude,
    });
    for (const { name, pid, runtime, link, hold, collector } of rows) {
      const where = pid > 0 ? `pid ${pid}, ` : "";
      const way = collector === "v8" ? "counted by V8, for it runs already" : "by its probes";
      io.print(
        `kcovfs: attached ${name} (${where}${runtime}, link ${link}, hold ${hold}): ${way}\n`,
      );
    }
    return 0;
  },
};

function checkAddress(text: string): void {
  try {
    parseAddress(text);
  } catch (error) {
    throw new UserError((error as Error).message, { status: USAGE });
  }
}
