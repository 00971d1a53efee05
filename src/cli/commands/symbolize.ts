import { createInterface } from "node:readline";
import type { Argv } from "yargs";
import { blockOfPc } from "../../symbols/pc_space.ts";
import { SourceStore } from "../../symbols/source_store.ts";
import { SymbolTable } from "../../symbols/symbol_table.ts";
import { counted } from "../../report/display_text.ts";
import { PcLines } from "../../report/pc_lines.ts";
import {
  symbolize as symbolizePc,
  symbolLines,
  type SymbolOptions,
} from "../../report/symbolize.ts";
import { sourcesFolder, symbolFile } from "../../symbols/symbol_file.ts";
import type { Command } from "../command.ts";
import { stateFor } from "../find_server.ts";
import { withMount, withState } from "../options.ts";
import { UserError } from "../../base/user_error.ts";

interface Arguments extends SymbolOptions {
  readonly pc?: readonly string[];
  readonly all: boolean;
  readonly runsc: boolean;
  readonly source: boolean;
  readonly "after-call": boolean;
  readonly state?: string;
  readonly mount?: string;
}

/** Bytes between two blocks' PCs: see `pc_space.ts`. */
const DISTANCE = 8n;

/** `kcovfs symbolize` */
export const symbolize: Command = {
  command: "symbolize [pc..]",
  describe: "tell where PCs are, and in which functions: those given, or those on standard input",
  builder: (argv: Argv) =>
    withMount(withState(argv))
      .positional("pc", { type: "string", array: true, describe: "in hex" })
      .option("source", {
        type: "boolean",
        default: false,
        describe: "print the line of code, too",
      })
      .option("after-call", {
        type: "boolean",
        default: false,
        describe:
          "take PCs of tools that write the call's address instead, such as syzkaller's PC - 5",
      })
      .option("prefix", {
        type: "string",
        requiresArg: true,
        describe: "a folder to put all files in, as syzkaller wants it; see docs/syzkaller.md",
      })
      .option("runsc", {
        type: "boolean",
        default: false,
        describe: "as 'runsc symbolize' does: the PC on one line, file and position on the next",
      })
      .option("all", {
        type: "boolean",
        default: false,
        describe: "every block, in the format of --runsc; also -all",
      })
      .example("kcovfs symbolize 0xffffffff80012340", "ends with status 1 where a PC is unknown")
      .example("kcovfs symbolize --source < pcs.txt", "")
      .example("kcovfs symbolize -all > symbols.txt", ""),
  async run(argv, io) {
    const options = argv as unknown as Arguments;
    const state = await stateFor(options);
    using symbols = openSymbols(state);
    if (options.all) {
      for (const text of symbolLines(symbols, options)) io.print(text);
      return 0;
    }
    await using sources = new SourceStore(sourcesFolder(state));
    const lines = new PcLines({ symbols, sources });
    let unknown = 0;
    for await (const text of options.pc?.length ? options.pc : wordsOfInput()) {
      const pc = options["after-call"] ? blockAfter(parsePc(text)) : parsePc(text);
      const block = blockOfPc(pc);
      if (block === undefined || !symbols.locate(block)) unknown++;
      io.print(options.runsc ? symbolizePc(symbols, pc, options) : await lines.of(pc, options));
    }
    if (unknown > 0) {
      const pcs = counted(unknown, "PC is", "PCs are");
      io.warn(`${pcs} not in the symbols of ${state}; for another server's, see --state`);
    }
    return unknown > 0 ? 1 : 0;
  },
};

async function* wordsOfInput(): AsyncGenerator<string> {
  for await (const line of createInterface({ input: process.stdin })) {
    yield* line.split(/\s+/).filter(Boolean);
  }
}

/** Such tools print the address after a call for a PC. The length of a call depends on the machine. */
function blockAfter(pc: bigint): bigint {
  return (pc + DISTANCE - 1n) / DISTANCE * DISTANCE;
}

function parsePc(text: string): bigint {
  if (/^(?:0x)?[0-9a-f]{1,16}$/i.test(text)) return BigInt(`0x${text.replace(/^0x/i, "")}`);
  throw new UserError(`Cannot symbolize ${JSON.stringify(text)}: a PC is a number in hex`);
}

function openSymbols(state: string): SymbolTable {
  try {
    return SymbolTable.open(symbolFile(state), { isReadOnly: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "no server has run with it; see --state" : message;
    throw new UserError(`Cannot open the symbols in ${state}: ${reason}`);
  }
}
