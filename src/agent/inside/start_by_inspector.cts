/**
 * The inspector loads this into a process that runs already (see `targets/attach/inject_agent.ts`), to turn
 * coverage on there.
 */
const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;
const { defaultName, isPresent, MainAgent } = require(
  "./main_isolate.cjs",
) as import("./main_isolate.cts").Parts;

type Agent = InstanceType<typeof MainAgent>;

/** The server's order. */
interface AttachOptions {
  readonly socketPath: string;
  /** The user's name for the target, else empty. */
  readonly name: string;
  /** Globs, each a JSON array of strings; empty for those of the server. */
  readonly include: string;
  readonly exclude: string;
  /** The id by which the server knows that it has ordered this attachment. */
  readonly attachment: string;
}

const { load } = Atomics;

/**
 * Turns coverage on. The process goes on meanwhile.
 *
 * @returns a promise of the reason for a failure; empty if there was none.
 */
async function attach(options: AttachOptions): Promise<string> {
  if (isPresent()) return "a kcovfs server measures it already";
  let agent: Agent;
  try {
    agent = new MainAgent({ ...options, name: options.name || defaultName() });
  } catch (error) {
    return (error as Error).message;
  }
  const { worker, control } = agent;
  const reason = await new Promise<string>((resolve) => {
    worker.once("message", ({ reason }: { readonly reason: string }) => resolve(reason));
    worker.once("error", (error: Error) => resolve(error.message));
    worker.once("exit", () => resolve("its agent has ended"));
  });
  if (reason === "" && load(control, memory.CONTROL.state) === memory.READY) agent.join();
  else agent.leave();
  return reason;
}

const parts = { attach };
module.exports = parts;
export type Parts = typeof parts;
