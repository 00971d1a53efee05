import type { Argv } from "yargs";
import { askServer } from "../messages/control_client.ts";
import type { ServerFacts } from "../messages/requests.ts";
import { findSocket } from "./find_server.ts";
import { type GlobArguments, withGlobs, withMount } from "./options.ts";
import { targetEnvironment } from "./target_environment.ts";

/** The arguments of {@linkcode withTarget}. */
export type TargetArguments = GlobArguments & { mount?: string; name?: string };

/** The options of the commands that start targets. */
export function withTarget<T>(argv: Argv<T>) {
  return withGlobs(withMount(argv)).option("name", {
    type: "string",
    requiresArg: true,
    describe: "what the target is called [default: the script's name]",
  });
}

/**
 * The server that is meant, and the environment in which a program becomes a target of it.
 *
 * @param options As for `targetEnvironment`.
 */
export async function environmentFor(
  { mount, name, include, exclude }: TargetArguments,
  { isDenied = false }: { isDenied?: boolean } = {},
): Promise<{ env: NodeJS.ProcessEnv; server: ServerFacts }> {
  const socket = await findSocket(mount);
  const server = await askServer(socket, "server");
  const { collector } = server;
  return {
    env: targetEnvironment(socket, { name, include, exclude, collector, isDenied }),
    server,
  };
}
