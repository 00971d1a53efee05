import type { Argv } from "yargs";
import { logger } from "../../base/logger.ts";
import { readRecording } from "../../recording/read_recording.ts";
import { Replayer } from "../../recording/replayer.ts";
import { counted } from "../../report/display_text.ts";
import type { Command } from "../command.ts";

/** `kcovfs replay` */
export const replay: Command = {
  command: "replay <file>",
  describe: "feed what --record wrote to a server without a kernel, and compare its replies",
  builder: (argv: Argv) =>
    argv
      .positional("file", { type: "string", demandOption: true, describe: "a recording" })
      .option("quiet", {
        alias: "q",
        type: "boolean",
        default: false,
        describe: "show differences only",
      })
      .example("kcovfs replay bug.jsonl", "ends with status 1 when a reply is another than it was"),
  async run(argv, io) {
    const { file, quiet } = argv as { file: string; quiet: boolean };
    const recording = await readRecording(file);
    const replayer = new Replayer({
      print: (line, isNews) => (isNews || !quiet) && io.print(`${line}\n`),
      log: logger("kcov"),
    });
    const { requests, same, different, uncompared } = await replayer.replay(recording);
    if (recording.isCut) io.warn(`The last line of ${file} is cut short, and left out`);
    io.print(
      `${counted(requests, "request")}; replies: ${same} the same, ${different} different, ` +
        `${uncompared} not compared\n`,
    );
    return different > 0 ? 1 : 0;
  },
};
