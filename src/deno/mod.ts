/** The part of the commands in `shims/` that the shell cannot do. */
import { askServer } from "../messages/control_client.ts";
import { denoArguments, startsOf, waitsForUs } from "./deno_arguments.ts";
import { fromEnvironment, guardDeno } from "./guard.ts";

/**
 * `arguments ARGS...` prints the arguments for a Deno, quoted for the shell, or nothing when it must be left
 * as it is. `guard PID ARGUMENTS` takes care of the Deno that was started.
 *
 * @returns the exit status.
 */
export async function main([command, ...rest]: readonly string[]): Promise<number> {
  const { socket, name, globs } = fromEnvironment();
  if (!socket) return 1;
  if (command === "guard") {
    if (!waitsForUs(rest[1] ?? "")) return 0;
    const isRepeated = /^'test'/.test(rest[1] ?? "");
    const starts = startsOf(rest[1] ?? "");
    await guardDeno(Number(rest[0]), { socket, name, globs, isRepeated, starts, warn });
    return 0;
  }
  if (!denoArguments(rest)) return 0;
  try {
    const { isPassthrough } = await askServer(socket, "server");
    const args = denoArguments(rest, { isTraced: isPassthrough }) ?? [];
    process.stdout.write(args.map(quote).join(" "));
    return 0;
  } catch {
    warn(`no server answers at ${socket}: running without coverage`);
    return 1;
  }
}

function warn(line: string): void {
  process.stderr.write(`kcovfs: ${line}\n`);
}

/** Quotes a text for `eval` in a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
