import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { UserError } from "../base/user_error.ts";
import { BROKEN } from "./harness_command.ts";
import type { Found } from "../harness/protocol.ts";
import { causeOf } from "./cause.ts";

/** Characters of a message and of an input that the terminal shows, and frames. */
const MOST_MESSAGE = 500;
const MOST_INPUT = 64;
const MOST_FRAMES = 10;

/** A cause, and how often it was found. */
export interface Finding {
  /** Class and number. */
  readonly cause: string;
  readonly found: Found;
  /** Inputs that were run until then. */
  readonly executions: number;
  /** s until then. */
  readonly seconds: number;
  times: number;
}

/** How findings are kept. */
export interface FindingsOptions {
  /** Where inputs go. */
  readonly folder: string;
  readonly target: string;
  /** The command that runs an input again, without the input. */
  readonly replay: readonly string[];
}

/** All findings of a run: each cause once, its input and its description in a folder. */
export class Findings {
  readonly #options: FindingsOptions;
  readonly #byCause = new Map<string, Finding>();

  constructor(options: FindingsOptions) {
    this.#options = options;
  }

  get all(): readonly Finding[] {
    return [...this.#byCause.values()];
  }

  /**
   * Takes an input that does something wrong.
   *
   * @returns what is to be said of it; undefined where its cause is known.
   */
  add(
    found: Found,
    { input, executions, seconds }: { input: Uint8Array; executions: number; seconds: number },
  ): string | undefined {
    const { folder, target, replay } = this.#options;
    const cause = causeOf(found, dirname(target));
    const known = this.#byCause.get(cause);
    if (known) {
      known.times++;
      return undefined;
    }
    const finding = { cause, found, executions, seconds, times: 1 };
    this.#byCause.set(cause, finding);
    const file = join(folder, cause);
    const place = relative(process.cwd(), file) || file;
    const lines = [
      describe(found),
      `input:  ${place} (${input.length} bytes): ${preview(input)}`,
      `replay: ${[...replay, place].map(quote).join(" ")}`,
    ];
    this.#write(file, { input, text: `${lines.join("\n")}\n` });
    return `${titleOf(finding)}\n${lines.join("\n")}\n`;
  }

  /** A finding of an earlier run stays, if its input is shorter. */
  #write(file: string, { input, text }: { input: Uint8Array; text: string }): void {
    try {
      mkdirSync(dirname(file), { recursive: true });
      if (existsSync(file) && statSync(file).size < input.length) return;
      writeFileSync(file, input);
      writeFileSync(`${file}.txt`, text);
    } catch (error) {
      const { message } = error as Error;
      throw new UserError(`Cannot keep a finding: ${message}; see --findings`, BROKEN);
    }
  }
}

/** A table of all that was found. */
export function summarize(findings: readonly Finding[]): string {
  const rows = [["CAUSE", "TIMES", "FIRST AFTER", "MESSAGE"]].concat(
    findings.map(({ cause, times, executions, found }) => [
      ...[cause, group(times), group(executions)],
      found.message.split("\n")[0].slice(0, MOST_INPUT),
    ]),
  );
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map(([cause, times, first, message]) =>
    `${cause.padEnd(widths[0])}  ${times.padStart(widths[1])}  ${first.padStart(widths[2])}  ` +
    `${message}\n`
  ).join("");
}

/** A number as people read it. */
export function group(count: number): string {
  return count.toLocaleString("en-US");
}

/** Class, message and stack, as an error is printed. */
export function describe({ class: name, message, stack }: Found): string {
  const shown = message.length > MOST_MESSAGE ? `${message.slice(0, MOST_MESSAGE)}...` : message;
  const more = stack.length - MOST_FRAMES;
  return [
    shown === "" ? name : `${name}: ${shown}`,
    ...stack.slice(0, MOST_FRAMES),
    ...(more > 0 ? [`    ... ${more} more`] : []),
  ].join("\n");
}

function titleOf({ cause, executions, seconds }: Finding): string {
  return `== ${cause}, after ${group(executions)} executions, ${seconds.toFixed(1)} s`;
}

/** The beginning of an input, on one line. */
export function preview(input: Uint8Array): string {
  const text = Buffer.from(input.subarray(0, MOST_INPUT)).toString("latin1");
  const escaped = JSON.stringify(text).replace(
    /[\x7f-\xff]|\\u00([0-9a-f]{2})/g,
    (character, hex) => `\\x${hex ?? character.charCodeAt(0).toString(16)}`,
  );
  return input.length > MOST_INPUT ? `${escaped}...` : escaped;
}

/** For a shell. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
