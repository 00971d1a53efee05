import { readFileSync, writeFileSync } from "node:fs";
import { UserError } from "../base/user_error.ts";
import { CANARY, type Oracle } from "../harness/protocol.ts";
import { BROKEN } from "./harness_command.ts";

const OPTION = /^--?dict=(.*)$/s;

/** Words without which an oracle would hardly ever see anything. */
const WORDS: Partial<Record<Oracle, readonly string[]>> = {
  pollution: ["__proto__", "constructor", "prototype"],
  traversal: [`/../../../../../../${CANARY}`, `../../${CANARY}`],
  injection: [`;${CANARY};`, `$(${CANARY})`],
};

/**
 * Writes a dictionary in the format of libFuzzer and AFL++: the words of the oracles that are on, and those of
 * the user's own dictionary.
 *
 * @param options libFuzzer's, as the user has given them.
 * @returns these options, with the dictionary in place of the user's.
 */
export function withDictionary(
  options: readonly string[],
  { file, without }: { file: string; without: readonly Oracle[] },
): string[] {
  const others = options.filter((option) => !OPTION.test(option));
  const given = options.flatMap((option) => OPTION.exec(option)?.[1] ?? []);
  const isWritten = writeDictionary(file, { without, more: given.map(readDictionary) });
  return [...others, ...(isWritten ? [`-dict=${file}`] : [])];
}

/**
 * Writes the words of the oracles that are on.
 *
 * @param options `more`: lines that come first.
 * @returns whether there were any.
 */
export function writeDictionary(
  file: string,
  { without, more = [] }: { without: readonly string[]; more?: readonly string[] },
): boolean {
  const words = Object.entries(WORDS).flatMap(([oracle, words]) =>
    without.includes(oracle) ? [] : words
  );
  const lines = [...more, ...words.map((word) => JSON.stringify(word))];
  if (lines.length > 0) writeFileSync(file, `${lines.join("\n")}\n`, "latin1");
  return lines.length > 0;
}

function readDictionary(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    const { message } = error as Error;
    throw new UserError(`Cannot read the dictionary ${file}: ${message}`, BROKEN);
  }
}
