import { createInterface } from "node:readline";
import type { Argv } from "yargs";
import { SymbolTable } from "../../coverage/symbol_table.ts";
import { symbolize as symbolizePc, symbolLines } from "../../report/symbolize.ts";
import { symbolFile } from "../../symbol_file.ts";
import type { Command, Io } from "../command.ts";
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
      .option("all", { type: "boolean", default: false, describe: "every block; also -all" })
      .example("kcovfs symbolize 0xffffffff80012340", "")
      .example("kcovfs symbolize -all > symbols.txt", ""),
  async run(argv, io) {
    const options = argv as { pc?: string[]; all?: boolean; state?: string; mount?: string };
    using symbols = await openSymbols(options);
    if (options.all) { for (const text of symbolLines(symbols)) io.print(text); }
    else if (options.pc?.length) { for (const pc of options.pc) one(symbols, pc, io); }
    else {
      for await (const line of createInterface({ input: process.stdin })) {
        for (const pc of line.split(/\s+/).filter(Boolean)) one(symbols, pc, io);
      }
    }
    return 0;
  },
};

function one(symbols: SymbolTable, text: string, io: Io): void {
  if (!/^(?:0x)?[0-9a-f]{1,16}$/i.test(text)) {
    throw new Failure(`Cannot symbolize ${JSON.stringify(text)}: a PC is a number in hex`);
  }
  io.print(symbolizePc(symbols, BigInt(`0x${text.replace(/^0x/i, "")}`)));
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
