import { fileURLToPath } from "node:url";
import type { Argv } from "yargs";
import type { Command } from "../command.ts";
import { environmentFor, type TargetArguments, withTarget } from "../target_options.ts";

/** The file of `kcovfs/register`. */
const REGISTER = fileURLToPath(new URL("../../agent/inside/register.cjs", import.meta.url));

/** `kcovfs env` */
export const env: Command = {
  command: "env",
  describe: "print the environment in which what is started is a target, as 'run' has it",
  builder: (argv: Argv) =>
    withTarget(argv)
      .option("json", {
        type: "boolean",
        default: false,
        describe: "as a JSON object; what is null is to be unset",
      })
      .option("register", {
        type: "boolean",
        default: false,
        describe: "print the path that node --import takes for kcovfs/register, and nothing else",
      })
      .example("kcovfs env --json", "")
      .example(
        'node --import "$(kcovfs env --register)" server.js',
        "where kcovfs/register is not found: it is installed globally, or in another folder",
      )
      .example('eval "$(kcovfs env --name api)"; node server.js', "in a shell"),
  async run(argv, io) {
    const { json, register, ...options } = argv as unknown as TargetArguments & {
      json: boolean;
      register: boolean;
    };
    if (register) {
      io.print(`${REGISTER}\n`);
      return 0;
    }
    const changes = changesTo((await environmentFor(options)).env);
    io.print(json ? `${JSON.stringify(changes, null, 2)}\n` : shellLines(changes));
    return 0;
  },
};

/** The variables that differ from this process's; null for those that the other environment lacks. */
function changesTo(environment: NodeJS.ProcessEnv): Record<string, string | null> {
  const names = new Set([...Object.keys(process.env), ...Object.keys(environment)]);
  const changed = [...names].filter((name) => environment[name] !== process.env[name]);
  return Object.fromEntries(changed.map((name) => [name, environment[name] ?? null]));
}

function shellLines(changes: Record<string, string | null>): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  return Object.entries(changes).map(([name, value]) =>
    value === null ? `unset ${name}\n` : `export ${name}=${quote(value)}\n`
  ).join("");
}
