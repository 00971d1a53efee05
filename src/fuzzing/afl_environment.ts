import { spawnSync } from "node:child_process";
import { basename } from "node:path";
import { UserError } from "../base/user_error.ts";
import { BROKEN } from "./harness_command.ts";

/** Counters in AFL++'s map, unless the user says so: AFL++'s own number. */
const MAP_SIZE = 1 << 16;
/** ms that loading the module may take: the bridge gives up before that. */
const LOADING = 20 * 60 * 1000;

/** How AFL++ is run. */
export interface AflOptions {
  readonly target: string;
  /** s that an input may take. */
  readonly timeout: number;
  /** Whether AFL++ shows its screen. */
  readonly isOnTerminal: boolean;
  /** AFL++'s own options, as the user has given them. */
  readonly theirs: readonly string[];
}

/**
 * AFL++'s program.
 *
 * @throws {UserError} where there is none.
 */
export function findAfl(): string {
  const program = process.env["KCOVFS_AFL_FUZZ"] || "afl-fuzz";
  if (!spawnSync(program, ["-h"], { stdio: "ignore" }).error) return program;
  throw new UserError(
    "Cannot run AFL++: there is no afl-fuzz (on Debian: apt-get install afl++)",
    BROKEN,
  );
}

/** Counters in AFL++'s map. */
export function aflMapSize(): number {
  return Number(process.env["AFL_MAP_SIZE"] || MAP_SIZE);
}

/** Variables without which AFL++ does not start, or not as it should; those that the user has set stay. */
export function aflEnvironment(options: AflOptions): NodeJS.ProcessEnv {
  const wanted: Record<string, string> = {
    AFL_SKIP_CPUFREQ: "1",
    AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES: "1",
    AFL_FORKSRV_INIT_TMOUT: String(LOADING),
    // A timeout is a hang: it is not looked at again with more time.
    AFL_HANG_TMOUT: String(milliseconds(options.timeout)),
    ...(options.isOnTerminal ? {} : { AFL_NO_UI: "1" }),
    ...(wantsCore(options.theirs) ? {} : { AFL_NO_AFFINITY: "1" }),
  };
  return Object.fromEntries(
    Object.entries(wanted).filter(([name]) => process.env[name] === undefined),
  );
}

/** Options without which AFL++ would not fit a harness; those that the user has given stay. */
export function aflOptions({ target, timeout, theirs }: AflOptions): string[] {
  return [
    ...(has(theirs, "-T") ? [] : ["-T", basename(target)]),
    ...(has(theirs, "-m") ? [] : ["-m", "none"]),
    ...(has(theirs, "-t") ? [] : ["-t", String(milliseconds(timeout))]),
    ...theirs,
  ];
}

/** AFL++, bridge and harness take turns; the server and the harness's other threads need another core. */
function wantsCore(theirs: readonly string[]): boolean {
  return has(theirs, "-b") || process.env["AFL_TRY_AFFINITY"] !== undefined;
}

function has(options: readonly string[], name: string): boolean {
  return options.some((option) => option.startsWith(name));
}

function milliseconds(seconds: number): number {
  return Math.ceil(seconds * 1000);
}
