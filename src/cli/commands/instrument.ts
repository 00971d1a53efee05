import * as path from "node:path";
import type { Argv } from "yargs";
import { scriptFilter } from "../../blocks/script_filter.ts";
import { type InstrumentedFiles, instrumentFiles } from "../../scripts/instrument_files.ts";
import { Pipeline } from "../../scripts/pipeline.ts";
import { counted } from "../../report/display_text.ts";
import { openSymbols } from "../../symbols/symbol_file.ts";
import type { Command } from "../command.ts";
import { stateFor } from "../find_server.ts";
import { type GlobArguments, withGlobs, withMount, withState } from "../options.ts";
import { UserError } from "../../base/user_error.ts";

/** `kcovfs instrument` */
export const instrument: Command = {
  command: "instrument <src>",
  describe: "write scripts with probes in them, for programs whose loader cannot be hooked",
  builder: (argv: Argv) =>
    withGlobs(withMount(withState(argv)))
      .positional("src", { type: "string", demandOption: true, describe: "a script or a folder" })
      .option("out", {
        alias: "o",
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "where it is written",
      })
      .example("kcovfs instrument dist -o dist-probed", "a copy of the folder, scripts with probes")
      .example("kcovfs instrument bundle.js -o probed.js", ""),
  async run(argv, io) {
    const { src, out, include, exclude, ...rest } = argv as unknown as GlobArguments & {
      src: string;
      out: string;
      mount?: string;
      state?: string;
    };
    if (`${path.resolve(out)}/`.startsWith(`${path.resolve(src)}/`)) {
      throw new UserError(`Cannot write to ${out}: it is within ${src}`);
    }
    using symbols = openSymbols(await stateFor(rest));
    await using pipeline = new Pipeline({ symbols, reporter: io });
    const isMeasured = scriptFilter({ include, exclude });
    const options = { pipeline, isMeasured, reporter: io };
    io.print(`kcovfs: ${format(await instrumented({ from: src, to: out }, options))}\n`);
    return 0;
  },
};

async function instrumented(
  paths: { from: string; to: string },
  options: Parameters<typeof instrumentFiles>[1],
): Promise<InstrumentedFiles> {
  try {
    return await instrumentFiles(paths, options);
  } catch (error) {
    throw new UserError(`Cannot instrument ${paths.from}: ${(error as Error).message}`);
  }
}

function format({ scripts, blocks, copied }: InstrumentedFiles): string {
  const probed = `${counted(scripts, "script")} with ${counted(blocks, "block")}`;
  return `${probed} ${scripts === 1 ? "has" : "have"} probes, ` +
    `${counted(copied, "file")} ${copied === 1 ? "is as it was" : "are as they were"}`;
}
