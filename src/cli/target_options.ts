import type { Argv } from "yargs";
import { askServer } from "../messages/control_client.ts";
import type { ServerFacts } from "../messages/requests.ts";
import { findSocket } from "./find_server.ts";
import { type GlobArguments, withGlobs, withMount } from "./options.ts";
import { targetEnvironment } from "./target_environment.ts";

/** What {@linkcode withTarget} adds to the arguments. */
export type TargetArguments = GlobArguments & { mount?: string; name?: string };

/** The options of the commands that make targets of what is started. */
export function withTarget<T>(argv: Argv<T>) {
  return withGlobs(withMount(argv)).option("name", {
    type: "string",
    requiresArg: true,
    describe: "what the target is called [default: the script's name]",
  });
}

/**
 * The environment in which what is started is a target of the server that is meant, and what that server is.
 *
 * @param options As of `targetEnvironment`.
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
