import type { Argv } from "yargs";
import { askServer } from "../../messages/control_client.ts";
import type { LiveProgress, TargetRow } from "../../messages/requests.ts";
import { counted } from "../../report/display_text.ts";
import { parseAddress } from "../../targets/attach/address.ts";
import type { Command } from "../command.ts";
import { findSocket } from "../find_server.ts";
import { withGlobs, withMount } from "../options.ts";
import { ProgressBar } from "../progress_bar.ts";
import { USAGE, UserError } from "../../base/user_error.ts";

interface Arguments {
  readonly address: string;
  readonly mount?: string;
  readonly name?: string;
  readonly include: string[];
  readonly exclude: string[];
  readonly "attach-pause"?: number;
  readonly collector?: "v8" | "trace";
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
      .option("attach-pause", {
        type: "number",
        requiresArg: true,
        describe:
          "ms for which putting probes into a script may stop the program; larger scripts are " +
          "left out [default: 1000]",
      })
      .option("collector", {
        choices: ["v8", "trace"] as const,
        requiresArg: true,
        describe: "by V8's counts, or by probes, where the server does both [default: by probes]",
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
    const attachPause = options["attach-pause"];
    if (attachPause !== undefined && !(Number.isSafeInteger(attachPause) && attachPause > 0)) {
      throw new UserError("--attach-pause is a number of ms, above 0", { status: USAGE });
    }
    const socket = await findSocket(options.mount);
    const rows = await askServer(socket, "attach", {
      address,
      ...(name && { name }),
      include,
      exclude,
      ...(attachPause !== undefined && { attachPause }),
      ...(options.collector && { collector: options.collector }),
    });
    for (const { name, pid, runtime, link, hold, id, collector } of rows) {
      const where = pid > 0 ? `pid ${pid}, ` : "";
      const way = collector === "v8" ? COUNTED : "by its probes";
      io.print(
        `kcovfs: attached ${name} (${where}${runtime}, link ${link}, hold ${hold}): ${way}\n`,
      );
      const row = await untilProbed(socket, id);
      if (row?.live) io.print(`kcovfs: ${outcomeOf(row, row.live)}\n`);
    }
    return 0;
  },
};

const COUNTED =
  "counted by V8, for it runs already; of functions that have run before, only calls are seen";

/** ms between two looks at how far it is. */
const LOOK_INTERVAL = 100;

/** Resolves with the target's row when all scripts that it had loaded were tried, or it is gone. */
async function untilProbed(socket: string, id: number): Promise<TargetRow | undefined> {
  using bar = new ProgressBar("scripts with probes");
  for (;;) {
    const rows = await askServer(socket, "targets");
    const row = rows.find((row) => row.id === id && row.state !== "ended");
    // One without probes has no such list.
    if (row?.collector !== "trace") return row;
    const { tried, scripts, isDone } = row.live ?? { tried: 0, scripts: 0, isDone: false };
    if (isDone) return row;
    bar.update(tried, scripts);
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
  }
}

function outcomeOf({ scripts, blocks }: TargetRow, { refused }: LiveProgress): string {
  const probed = `${counted(scripts, "script")} with probes, ${counted(blocks, "block")}`;
  return refused > 0 ? `${probed}; ${refused} left out for now: see 'kcovfs ps -v'` : probed;
}

function checkAddress(text: string): void {
  try {
    parseAddress(text);
  } catch (error) {
    throw new UserError((error as Error).message, { status: USAGE });
  }
}
