import { createInterface } from "node:readline";
import type { Argv } from "yargs";
import { SymbolTable } from "../../symbols/symbol_table.ts";
import {
  symbolize as symbolizePc,
  symbolLines,
  type SymbolOptions,
} from "../../report/symbolize.ts";
import { symbolFile } from "../../symbols/symbol_file.ts";
import type { Command } from "../command.ts";
import { Failure } from "../failure.ts";
import { stateFor } from "../find_server.ts";
import { withMount, withState } from "../options.ts";

/** `kcovfs symbolize` */
export const symbolize: Command = {
  command: "symbolize [pc..]",
  describe: "tell where PCs are: those given, or those on standard input",
  builder: (argv: Argv) =>
    withMount(withState(argv))
      .positional("pc", { type: "string", array: true, describe: "in hex" })
      .option("prefix", {
        type: "string",
        requiresArg: true,
        describe: "a folder to put all files in, as syzkaller wants it; see docs/syzkaller.md",
      })
      .option("all", { type: "boolean", default: false, describe: "every block; also -all" })
      .example("kcovfs symbolize 0xffffffff80012340", "")
      .example("kcovfs symbolize -all > symbols.txt", ""),
  async run(argv, io) {
    const options = argv as SymbolOptions & {
      pc?: string[];
      all?: boolean;
      state?: string;
      mount?: string;
    };
    using symbols = await openSymbols(options);
    const one = (pc: string) => io.print(symbolizePc(symbols, parsePc(pc), options));
    if (options.all) { for (const text of symbolLines(symbols, options)) io.print(text); }
    else if (options.pc?.length) { for (const pc of options.pc) one(pc); }
    else {
      for await (const line of createInterface({ input: process.stdin })) {
        for (const pc of line.split(/\s+/).filter(Boolean)) one(pc);
      }
    }
    return 0;
  },
};

function parsePc(text: string): bigint {
  if (/^(?:0x)?[0-9a-f]{1,16}$/i.test(text)) return BigInt(`0x${text.replace(/^0x/i, "")}`);
  throw new Failure(`Cannot symbolize ${JSON.stringify(text)}: a PC is a number in hex`);
}

async function openSymbols(options: { state?: string; mount?: string }): Promise<SymbolTable> {
  const state = await stateFor(options);
  try {
    return SymbolTable.open(symbolFile(state), { isReadOnly: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "no server has run with it; see --state" : message;
    throw new Failure(`Cannot open the symbols in ${state}: ${reason}`);
  }
}
