import { fileURLToPath } from "node:url";

/** Subcommands that run a program in a process whose inspector can be reached. */
const RUNNING: ReadonlySet<string> = new Set(["run", "serve", "test", "eval"]);
/** All other subcommands. */
const OTHERS: ReadonlySet<string> = new Set(
  ("add approve-scripts audit bench bump-version bundle cache check ci clean compile completions coverage " +
    "create deploy doc fmt help i info init install jupyter json_reference link lint list lsp outdated pack " +
    "publish remove repl sandbox task tests types uninstall unlink update upgrade vendor watch why x")
    .split(" "),
);
/** With one of these options nothing runs. */
const INFORMING: ReadonlySet<string> = new Set(["-h", "--help", "-V", "--version", "-v"]);
/** A path or a URL. The value of an option before it (`--log-level debug`) does not match. */
const FILE = /^[^-].*[./:]/;
const HAS_INSPECTOR = /^--inspect(?:-brk|-wait)?(?:=|$)/;

/**
 * Makes a Deno wait for us before its program's first line. On stderr it only prints `Debugger session
 * started.`. With `--inspect-wait` it may start as soon as a session is there: it looks only whether there is
 * one (`wait_for_session` in Deno's `core/inspector.rs`).
 */
const INSPECTOR = ["--inspect-brk=127.0.0.1:0", "--inspect-publish-uid=http"];
/**
 * A module that does nothing. A Deno compiles its program, with all that is imported, before it waits. With
 * this module before it, the program is compiled only after that module's wait, so its top level has block
 * counters.
 */
const PRELOAD = preload("deno_preload.mjs");
/** Optimised code does not count; see `agent/inside/count_everything.cts`. */
const COUNTING = "--v8-flags=--max-opt=1";
const FLAGS = [...INSPECTOR, `--preload=${PRELOAD}`, COUNTING];
/** Gives a Deno's scripts probes. It needs no inspector, and does not wait. */
const TRACING = [`--preload=${preload("deno_trace.mjs")}`];
/** Subcommands with a code cache: functions out of it have no block counters. */
const CACHING: ReadonlySet<string> = new Set(["run", "serve"]);

/**
 * The arguments by which a Deno becomes a target; undefined when it runs no program, or has an inspector of
 * the user's.
 *
 * @param args Without the `deno`.
 * @param options `isTraced`: whether its scripts get probes, which write the clients' areas.
 */
export function denoArguments(
  args: readonly string[],
  { isTraced = false }: { isTraced?: boolean } = {},
): string[] | undefined {
  const command = args.findIndex((argument) =>
    RUNNING.has(argument) || OTHERS.has(argument) || FILE.test(argument)
  );
  if (command < 0) return undefined;
  const isNamed = RUNNING.has(args[command]);
  if (!isNamed && OTHERS.has(args[command])) return undefined;
  // `deno file.ts` takes the same options, before the file.
  const at = isNamed ? command + 1 : 0;
  const options = [...args.slice(0, command), ...optionsOf(args, at)];
  if (options.some((option) => INFORMING.has(option))) return undefined;
  if (isTraced) return [...args.slice(0, at), ...TRACING, ...args.slice(at)];
  if (options.some((option) => HAS_INSPECTOR.test(option))) return undefined;
  const flags = !isNamed || CACHING.has(args[command]) ? [...FLAGS, "--no-code-cache"] : FLAGS;
  return [...args.slice(0, at), ...flags, ...args.slice(at)];
}

/**
 * The number of modules before whose first line a Deno waits: those before the program, and the program.
 * Rather too many than too few: a Deno that is not told to go on would wait for ever.
 *
 * @param args As {@linkcode denoArguments} has made them, quoted for the shell.
 */
export function startsOf(args: string): number {
  return 1 + [...args.matchAll(/(?<=^| )'--(?:preload|require|import)[='][^']/g)].length;
}

/** Whether a Deno with arguments of {@linkcode denoArguments} waits for us. */
export function waitsForUs(args: string): boolean {
  return args.includes(INSPECTOR[0]);
}

function preload(file: string): string {
  return fileURLToPath(new URL(`../../../shims/${file}`, import.meta.url));
}

/** The options before the program; those after it are its own. */
function optionsOf(args: readonly string[], from: number): readonly string[] {
  const program = args.findIndex((argument, i) => i >= from && !argument.startsWith("-"));
  return args.slice(from, program < 0 ? undefined : program);
}
