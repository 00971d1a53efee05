import { writeFile } from "node:fs/promises";
import type { Argv } from "yargs";
import { UserError } from "../../base/user_error.ts";
import { type FilterOptions, scriptFilter } from "../../blocks/script_filter.ts";
import { dictionaryText, makeDictionary } from "../../dictionary/dictionary.ts";
import { counted } from "../../report/display_text.ts";
import { ownTexts } from "../../report/script_texts.ts";
import { SourceStore } from "../../symbols/source_store.ts";
import { sourcesFolder, symbolFile } from "../../symbols/symbol_file.ts";
import { SymbolTable } from "../../symbols/symbol_table.ts";
import type { Command } from "../command.ts";
import { type Covered, coveredBy } from "../covered_by.ts";
import { withGlobs, withMount } from "../options.ts";

interface Arguments extends FilterOptions {
  readonly mount?: string;
  readonly state?: string;
  readonly output?: string;
  readonly most: number;
}

/** `kcovfs dictionary` */
export const dictionary: Command = {
  command: "dictionary",
  describe: "a dictionary for AFL++ and libFuzzer, of the literals in the scripts that have run",
  builder: (argv: Argv) =>
    withGlobs(withMount(argv), { verb: "take" })
      .option("state", {
        type: "string",
        requiresArg: true,
        describe: "the state folder of a server that has ended, to take its scripts",
      })
      .option("output", {
        alias: "o",
        type: "string",
        requiresArg: true,
        describe: "the file [default: standard output]",
      })
      .option("most", {
        type: "number",
        requiresArg: true,
        default: 512,
        describe: "entries, at most; the likeliest come first",
      })
      .example("kcovfs dictionary --exclude '**/node_modules/**' -o app.dict", "")
      .example("afl-fuzz -x app.dict ...", ""),
  async run(argv, io) {
    const options = argv as unknown as Arguments;
    const choice = { ...options, since: "start", reset: false } as const;
    const covered = await coveredBy(choice, { task: "make a dictionary of", io });
    const sources = await readSources(covered, options);
    const { entries, unread } = makeDictionary(sources, options);
    if (unread > 0) io.warn(`${counted(unread, "script", "scripts")} could not be read`);
    if (entries.length === 0) {
      throw new UserError(
        "Cannot make a dictionary: no script that has run has a literal; see --include, --exclude",
      );
    }
    await write(dictionaryText(entries), { output: options.output, print: io.print });
    return 0;
  },
};

/** The scripts as V8 ran them. */
async function readSources(
  { state, targets }: Covered,
  filter: FilterOptions,
): Promise<Iterable<string>> {
  using symbols = SymbolTable.open(symbolFile(state), { isReadOnly: true });
  await using store = new SourceStore(sourcesFolder(state));
  const bases = new Set(targets.flatMap(({ scripts }) => scripts.map(({ base }) => base)));
  const isMeant = scriptFilter(filter);
  return await ownTexts(bases, { segments: symbols.segments, sources: store, isMeant });
}

async function write(
  text: string,
  { output, print }: { output: string | undefined; print: (text: string) => void },
): Promise<void> {
  if (output === undefined) return print(text);
  try {
    await writeFile(output, text);
  } catch (error) {
    throw new UserError(`Cannot write the dictionary to ${output}: ${(error as Error).message}`);
  }
}
