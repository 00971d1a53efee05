import { existsSync, statSync } from "node:fs";
import type { Command } from "./command.ts";
import { declarationsOf } from "./declarations.ts";

/** The command line that was given. */
interface Given {
  readonly args: readonly string[];
  /** The command that it begins with, if there is such a command. */
  readonly command: Command | undefined;
  /** All commands. */
  readonly all: readonly Command[];
}

const GLOB_OPTIONS = ["--include", "--exclude"];
/** Options of every command. */
const COMMON = ["help", "version"];

/** Explains a command line that makes no sense better than yargs does: with what was probably meant. */
export function explainUsage(message: string, given: Given): string {
  const { args, command, all } = given;
  const [, unknown] = /^Unknown (?:argument|command)s?: (.*)$/.exec(message) ?? [];
  const names = unknown?.split(", ") ?? [];
  if (!command) return message + suggest(names[0], all.map(nameOf), (name) => `'${name}'`);
  const [, missing] = /^Not enough non-option arguments: got (\d+)/.exec(message) ?? [];
  if (missing !== undefined) return `${positionalsOf(command)[Number(missing)]} is missing`;
  const expanded = expandedGlob(args);
  if (expanded) return expanded;
  if (unknown === undefined) return message;
  return lackOfDashes(args, { command, unknown: names }) ??
    `Unknown argument${names.length > 1 ? "s" : ""}: ${unknown}${
      suggestOptions(names[0], command)
    }`;
}

function nameOf({ command }: Command): string {
  return command.split(" ")[0];
}

/** As in the usage line: `<dir>`. */
function positionalsOf({ command }: Command): string[] {
  return command.split(" ").slice(1);
}

/** Detects a glob without quotes: the shell has replaced it by files, one after the other. */
function expandedGlob(args: readonly string[]): string | undefined {
  const ours = beforeDashes(args);
  const at = ours.findIndex((arg, i) =>
    GLOB_OPTIONS.includes(arg) && isFile(ours[i + 1]) && isFile(ours[i + 2])
  );
  if (at < 0) return undefined;
  return `the shell has made files of the glob of ${ours[at]} (${ours[at + 1]}, ` +
    `${ours[at + 2]}...): put it in quotes, as in ${ours[at]} '**/*.js'`;
}

function isFile(name: string | undefined): boolean {
  return name !== undefined && existsSync(name) && statSync(name).isFile();
}

/** `run` and `fuzz` take a command, but after dashes. */
function lackOfDashes(
  args: readonly string[],
  { command, unknown }: { command: Command; unknown: readonly string[] },
): string | undefined {
  if (args.includes("--")) return undefined;
  // libFuzzer's have one dash.
  const fuzzers = args.find((arg) => /^-[a-z_]{2,}=/.test(arg));
  if (command.usage?.includes("[-- ") && fuzzers) {
    return `put the fuzzer's options after '--': ... -- ${fuzzers}`;
  }
  if (!command.usage?.includes(" -- ")) return undefined;
  const at = args.findIndex((arg, i) => i > 0 && unknown.includes(arg));
  if (at < 0) return undefined;
  const [options, program] = [args.slice(0, at), args.slice(at)];
  return `put the command after '--': kcovfs ${[...options, "--", ...program].join(" ")}`;
}

function beforeDashes(args: readonly string[]): readonly string[] {
  const dashes = args.indexOf("--");
  return dashes < 0 ? args : args.slice(0, dashes);
}

function suggestOptions(unknown: string, command: Command): string {
  const names = declarationsOf(command).options.filter(([, { hidden }]) => !hidden)
    .map(([name]) => name);
  return suggest(unknown, [...names, ...COMMON], (name) => `--${name}`);
}

/** Empty where no name is similar. */
function suggest(
  given: string | undefined,
  known: readonly string[],
  spell: (name: string) => string,
): string {
  if (given === undefined) return "";
  const [best] = known
    .map((name) => ({ name, distance: name.startsWith(given) ? 1 : distance(given, name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return best ? `; did you mean ${spell(best.name)}?` : "";
}

/** How many characters must be added, left out, replaced or exchanged with the next. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        ...[rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (isSame ? 0 : 1)],
        isSwapped ? rows[i - 2][j - 2] + 1 : Infinity,
      );
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}
