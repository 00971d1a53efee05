import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { UserError } from "../base/user_error.ts";
import { askServer } from "../messages/control_client.ts";
import type { CoveredTarget, Since } from "../messages/requests.ts";
import { type CoveredRecord, readCovered } from "../symbols/covered_record.ts";
import type { Io } from "./command.ts";
import { findMount, findSocket, isMountNamed, isServerMeant } from "./find_server.ts";
import { DEFAULT_STATE } from "./options.ts";

/** Which server is meant, and what of it. */
export interface CoveredChoice {
  readonly mount?: string;
  /** The state folder of one that has ended. */
  readonly state?: string;
  readonly since: Since;
  readonly reset: boolean;
}

/** The blocks that targets have executed, and the folder of their symbols. */
export interface Covered {
  readonly state: string;
  readonly targets: readonly CoveredTarget[];
}

/** The words between "Cannot" and a state folder in errors, and the place for warnings. */
interface Teller {
  readonly task: string;
  readonly io: Io;
}

/**
 * Asks the server that runs. If a state folder is named, or none runs, the record of one that has ended is
 * read instead.
 */
export async function coveredBy(choice: CoveredChoice, teller: Teller): Promise<Covered> {
  const isServed = choice.state === undefined && await isServerMeant(choice.mount);
  return await (isServed ? askFor(choice, teller) : readFor(choice, teller));
}

async function askFor({ mount, since, reset }: CoveredChoice, { io }: Teller): Promise<Covered> {
  if (!isMountNamed(mount)) {
    const dir = await findMount(mount);
    io.warn(`this is of the server mounted on ${dir}; for one that has ended, say --state`);
  }
  const socket = await findSocket(mount);
  const { state } = await askServer(socket, "server");
  return { state, targets: await askServer(socket, "covered", { since, isReset: reset }) };
}

/** Reads the record of the last server, and first prints whose it was and when it ended. */
async function readFor(
  { since, reset, ...options }: CoveredChoice,
  { task, io }: Teller,
): Promise<Covered> {
  const state = resolve(options.state ?? DEFAULT_STATE);
  const record = await recordIn(state, task);
  if (reset) {
    throw new UserError("Cannot reset: that takes a server that runs; say which with --mount");
  }
  if (!record) {
    const what = "nothing is mounted, and no server of it has ended; run 'kcovfs mount DIR' first";
    throw new UserError(`Cannot ${task} ${state}: ${what}`);
  }
  const { date, uid } = record;
  const when = date.toISOString().replace(/\.\d+Z$/, "Z");
  const whose = `${await userName(uid)}'s server in ${state} that ended at ${when}`;
  if (options.state === undefined && uid !== process.getuid?.()) {
    throw new UserError(
      `Cannot choose a run: nothing is mounted, and there is ${whose}; if you mean that, say --state ${state}`,
    );
  }
  const targets = record.targets[since];
  io.warn(
    `this is of ${whose}; its targets: ${targets.map(({ name }) => name).join(", ") || "none"}`,
  );
  return { state, targets };
}

async function recordIn(state: string, task: string): Promise<CoveredRecord | undefined> {
  try {
    return await readCovered(state);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isOthers = code === "EACCES" || code === "EPERM";
    const reason = isOthers ? "it is another user's; say --state, or run with sudo" : message;
    throw new UserError(`Cannot ${task} ${state}: ${reason}`);
  }
}

/** By `passwd(5)`; for a user that is not in there, the number. */
async function userName(uid: number): Promise<string> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  const user = users.split("\n").map((line) => line.split(":")).find((user) =>
    user[2] === String(uid)
  );
  return user?.[0] || `user ${uid}`;
}
