/** Finds out whether kcovfs works on a machine, and what to change if not. */
import { askServer } from "../messages/control_client.ts";
import type { Finding } from "./finding.ts";
import { examineFolders, examineMounts, examineStopped } from "./leftovers.ts";
import { examineMachine } from "./machine.ts";
import { tryRoundTrip } from "./round_trip.ts";

export type { Finding, Verdict } from "./finding.ts";

/** Access to the servers that run. */
export interface DoctorOptions {
  /** Their mounts' type. */
  readonly type: string;
  /** The control socket of the server of a mount. */
  readonly findSocket: (mount: string) => Promise<string>;
}

/** The first of these that is missing is named as the reason; a user who is not root lacks the device, too. */
const NEEDED = ["kernel", "privileges", "/dev/fuse", "programs", "Node", "system calls"];

/** Examines everything, which takes some seconds. Each finding comes as soon as it is made. */
export async function* examine(options: DoctorOptions): AsyncGenerator<Finding> {
  const machine = await examineMachine();
  yield* machine;
  const { findings, answering } = await examineMounts(options.type);
  yield* findings;
  yield await examineFolders();
  yield* examineStopped(await targetsOf(answering, options.findSocket));
  const faults = machine.filter(({ verdict }) => verdict === "fault").map(({ name }) => name);
  const lacking = NEEDED.find((name) => faults.includes(name));
  for (const collector of ["v8", "trace"] as const) {
    if (!lacking) yield await tryRoundTrip(collector);
    else {
      const detail = `for want of ${lacking}`;
      yield { name: `round trip, ${collector}`, verdict: "skipped", detail };
    }
  }
}

/** The processes that servers measure. */
async function targetsOf(
  mounts: readonly string[],
  findSocket: DoctorOptions["findSocket"],
): Promise<number[]> {
  // A server that has ended meanwhile has no targets.
  const answers = await Promise.all(
    mounts.map((mount) =>
      findSocket(mount).then((socket) => askServer(socket, "targets")).catch(() => [])
    ),
  );
  return answers.flat().filter(({ state }) => !state.startsWith("ended")).map(({ pid }) => pid);
}
