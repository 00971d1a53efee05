import type { Argv, Options, PositionalOptions } from "yargs";
import type { Command } from "./command.ts";

/** A command's options, positional arguments and examples, as its builder declares them to yargs. */
export interface Declarations {
  readonly options: readonly (readonly [name: string, options: Options])[];
  readonly positionals: readonly (readonly [name: string, options: PositionalOptions])[];
  readonly examples: readonly (readonly [command: string, description: string])[];
}

/** Runs a command's builder with an object that only writes the declarations down. */
export function declarationsOf(command: Command): Declarations {
  const options: [string, Options][] = [];
  const positionals: [string, PositionalOptions][] = [];
  const examples: [string, string][] = [];
  const writers: Record<string, (...args: never[]) => void> = {
    option: (name: string, declared: Options) => options.push([name, declared]),
    positional: (name: string, declared: PositionalOptions) => positionals.push([name, declared]),
    example: (line: string, description: string) => examples.push([line, description]),
  };
  const recorder: Argv = new Proxy({} as Argv, {
    get: (_, method: string) => (...args: never[]) => {
      writers[method]?.(...args);
      return recorder;
    },
  });
  command.builder(recorder);
  return { options, positionals, examples };
}
