import type { Argv } from "yargs";
import { makeDictionary } from "../dictionary/dictionary.ts";
import { writeWords } from "../fuzzing/words.ts";

/** Words of scripts, at most: hints have as many places again for those that comparisons tell. */
const MOST_WORDS = 256;

/** The options of fuzzers that are guided by more than edges. */
export function withGuidance<T>(argv: Argv<T>) {
  return argv
    .option("comparisons", {
      type: "boolean",
      default: true,
      describe: "be guided by what the code compares; a second process measures it",
    })
    .option("dictionary", {
      type: "boolean",
      default: true,
      describe: "put literals of the code into inputs",
    });
}

type Parsed<A> = A extends Argv<infer T> ? T : never;

/** The arguments that {@linkcode withGuidance} adds. */
export type GuidanceArguments = Parsed<ReturnType<typeof withGuidance<unknown>>>;

/** The environment by which a bridge knows what is to guide; see `bridges/libfuzzer.c`. */
export function guidanceEnv(
  { comparisons, dictionary }: GuidanceArguments,
  words: string,
): NodeJS.ProcessEnv {
  return {
    ...(comparisons && { KCOVFS_COMPARISONS: "1" }),
    ...(dictionary && { KCOVFS_WORDS: words }),
  };
}

/** Writes the words of scripts' texts for a bridge. */
export function writeScriptWords(file: string, scripts: Iterable<string>): void {
  writeWords(file, makeDictionary(scripts, { most: MOST_WORDS }).entries);
}
