/**
 * What the inspector loads into a process that runs already (see `targets/attach/inject_agent.ts`), to have
 * coverage on there.
 */
const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;
const { defaultName, isPresent, MainAgent } = require(
  "./main_isolate.cjs",
) as import("./main_isolate.cts").Parts;

type Agent = InstanceType<typeof MainAgent>;

/** What the server asks for. */
interface AttachOptions {
  readonly socketPath: string;
  /** What the user calls it, else empty. */
  readonly name: string;
  /** Globs, each a JSON array of strings; empty where the server's are meant. */
  readonly include: string;
  readonly exclude: string;
  /** By which the server knows what it has asked for. */
  readonly attachment: string;
}

const { load } = Atomics;

/**
 * Has coverage on. The process goes on meanwhile.
 *
 * @returns a promise of why that could not be done, empty when it was.
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
