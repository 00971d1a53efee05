import type { Listener, ProcessFacts } from "../../base/process_facts.ts";
import type { ProcessReader } from "../../base/process_reader.ts";
import type { CdpSession } from "../cdp/session.ts";
import { type Endpoint, findEndpoint } from "../cdp/endpoint.ts";

/** The inspector of a process. */
export interface ProcessInspector {
  readonly endpoint: Endpoint;
  /** Whether it was opened for us, and must be closed. */
  readonly isOpened: boolean;
}

/** ms for Node to open an inspector. It does so on a thread of its own, even while it computes. */
const OPEN_TIMEOUT = 5000;
/** ms for Node to close it again. */
const CLOSE_TIMEOUT = 5000;
/** ms between two looks. */
const INTERVAL = 10;
/** The port at which Node opens it unless told otherwise. */
const USUAL_PORT = 9229;

/**
 * Finds the inspector of a Node process, or makes it open one, by SIGUSR1.
 *
 * @throws {Error} with a reason, which says what to do. A process that would die of the signal does not get
 * it.
 */
export async function openInspector(
  facts: ProcessFacts,
  reader: ProcessReader,
): Promise<ProcessInspector> {
  checkProcess(facts);
  const { pid } = facts;
  const before = await reader.listenersOf(pid);
  const present = before.filter(({ port }) => facts.hasInspectOption || port === USUAL_PORT);
  for (const listener of present) {
    const endpoint = await findAt(listener);
    if (endpoint) return { endpoint, isOpened: false };
  }
  if (!facts.handlesSigusr1) {
    throw new Error(
      "it would die of SIGUSR1 (is it started with --disable-sigusr1 or --permission?); start it with --inspect, or by 'kcovfs run'",
    );
  }
  process.kill(pid, "SIGUSR1");
  const isNew = ({ port }: Listener) => before.every((other) => other.port !== port);
  const deadline = performance.now() + OPEN_TIMEOUT;
  while (performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    for (const listener of (await reader.listenersOf(pid)).filter(isNew)) {
      const endpoint = await findAt(listener);
      if (endpoint) return { endpoint, isOpened: true };
    }
  }
  throw new Error(await whyNone(pid, reader));
}

function checkProcess({ program, state, sharesNetwork }: ProcessFacts): void {
  if (/^deno/.test(program)) {
    throw new Error("it is Deno; start it with --inspect and attach to that HOST:PORT");
  }
  if (!/node/i.test(program)) throw new Error(`it runs ${program}, not Node`);
  if (state === "T" || state === "t") {
    throw new Error("it is stopped; let it go on first, by kill -CONT");
  }
  if (!sharesNetwork) {
    throw new Error(
      "it is in another network namespace; start it with --inspect=0.0.0.0:9229 and attach to that HOST:PORT",
    );
  }
}

async function whyNone(pid: number, reader: ProcessReader): Promise<string> {
  const owner = await reader.whoListens(USUAL_PORT);
  const isOwn = (await reader.listenersOf(pid)).some(({ port }) => port === USUAL_PORT);
  if (owner && !isOwn) return `its inspector's port, ${USUAL_PORT}, is taken by ${owner}`;
  return "it opens no inspector on SIGUSR1, which its program may handle itself; start it with --inspect, or by 'kcovfs run'";
}

/** Anything may listen there, so the answer is checked. */
async function findAt({ address, port }: Listener): Promise<Endpoint | undefined> {
  const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  try {
    return await findEndpoint([host], port, { timeout: 1000 });
  } catch {
    return undefined;
  }
}

/**
 * Ends a session with an inspector that was opened for us, and closes the inspector, with all sessions that
 * others have begun meanwhile.
 *
 * @returns whether nothing listens any more, or the process has ended.
 */
export async function closeInspector(
  session: CdpSession,
  { pid, port, reader }: { pid: number; port: number; reader: ProcessReader },
): Promise<boolean> {
  const inspector =
    `(globalThis.process.getBuiltinModule?.("node:inspector") ?? require("node:inspector"))`;
  const params = {
    expression: `void setTimeout(() => ${inspector}.close(), 0)\n//# sourceURL=node:kcovfs`,
    includeCommandLineAPI: true,
    silent: true,
  };
  const asked = session.send("Runtime.evaluate", params, { timeout: CLOSE_TIMEOUT });
  await asked.catch(() => {});
  await session[Symbol.asyncDispose]();
  const deadline = performance.now() + CLOSE_TIMEOUT;
  const isOpen = async () => (await reader.listenersOf(pid)).some((other) => other.port === port);
  while (await isOpen()) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
  return true;
}
