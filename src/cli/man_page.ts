/** Makes the manual page from the declarations of `--help`, in the macros of `man(7)`. */
import type { Options } from "yargs";
import type { Command } from "./command.ts";
import { declarationsOf } from "./declarations.ts";

/** The parts that are the same for all commands. */
export interface ManPageOptions {
  readonly version: string;
  /** One line about the program. */
  readonly summary: string;
}

/** The manual page's source, `kcovfs.1`. */
export function manPage(commands: readonly Command[], options: ManPageOptions): string {
  const { version, summary } = options;
  return [
    `.TH KCOVFS 1 "" "kcovfs ${version}"`,
    ".SH NAME",
    `kcovfs \\- ${escape(summary)}`,
    ".SH SYNOPSIS",
    ...commands.flatMap((
      command,
      i,
    ) => [...i > 0 ? [".br"] : [], `.B ${escape(usageOf(command))}`]),
    ".SH COMMANDS",
    ...commands.flatMap(section),
    ".SH EXIT STATUS",
    "0; 1 when something failed; 2 when the command line makes no sense.",
    ".B run",
    "and",
    ".B fuzz",
    "hand on the status of their command; 126 or 127 when that cannot be run.",
    "",
  ].join("\n");
}

function section(command: Command): string[] {
  const { options, positionals, examples } = declarationsOf(command);
  return [
    `.SS ${escape(usageOf(command))}`,
    sentence(command.describe),
    ...positionals.flatMap(([name, { describe }]) => [
      ".TP",
      `.I ${escape(name)}`,
      escape(describe ?? ""),
    ]),
    ...options.flatMap(([name, declared]) => [
      ".TP",
      `.B ${escape(spelling(name, declared))}`,
      escape(describe(declared)),
    ]),
    ...examples.length > 0 ? [".PP", "Examples:"] : [],
    ...examples.flatMap(([line, description]) => [
      ...[".PP", ".RS 4", ".nf", escape(line), ".fi"],
      ...description ? [escape(description)] : [],
      ".RE",
    ]),
  ];
}

/** The usage line, with which `--help` begins. */
function usageOf({ command, usage }: Command): string {
  return usage ?? `kcovfs ${command}`;
}

function spelling(name: string, { alias, type, choices, default: value }: Options): string {
  const argument = choices?.length ? choices.join("|") : ARGUMENTS[type ?? ""];
  const no = type === "boolean" && value === true ? "[no-]" : "";
  const names = [name, ...[alias ?? []].flat()]
    .map((one) => `${one.length > 1 ? "--" : "-"}${no}${one}`);
  return argument ? `${names.join(", ")} ${argument}` : names.join(", ");
}

const ARGUMENTS: Readonly<Record<string, string>> = { string: "TEXT", number: "N" };

function describe({ describe, default: value, defaultDescription, type }: Options): string {
  const said = defaultDescription ?? (type === "boolean" && value === false ? undefined : value);
  return said === undefined ? describe ?? "" : `${describe} [default: ${said}]`;
}

function sentence(text: string): string {
  return escape(`${text.charAt(0).toUpperCase()}${text.slice(1)}.`);
}

/** Escapes characters that troff would act on. */
function escape(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^(?=[.'])/gm, "\\&");
}
