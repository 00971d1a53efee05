/** What the commands in `shims/` cannot do in the shell. */
import { askServer } from "../control_client.ts";
import { denoArguments, startsOf } from "./deno_arguments.ts";
import { fromEnvironment, guardDeno } from "./guard.ts";

/**
 * `arguments ARGS...` prints how a Deno is to be started, quoted for the shell, or nothing when it is to
 * be left as it is. `guard PID ARGUMENTS` takes care of the one that was started.
 *
 * @returns the exit status.
 */
export async function main([command, ...rest]: readonly string[]): Promise<number> {
  const { socket, name } = fromEnvironment();
  if (!socket) return 1;
  if (command === "guard") {
    const isRepeated = /^'test'/.test(rest[1] ?? "");
    const starts = startsOf(rest[1] ?? "");
    await guardDeno(Number(rest[0]), { socket, name, isRepeated, starts, warn });
    return 0;
  }
  const args = denoArguments(rest);
  if (!args) return 0;
  try {
    await askServer(socket, "server");
  } catch {
    warn(`no server answers at ${socket}: running without coverage`);
    return 1;
  }
  process.stdout.write(args.map(quote).join(" "));
  return 0;
}

function warn(line: string): void {
  process.stderr.write(`kcovfs: ${line}\n`);
}

/** For `eval` in a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
