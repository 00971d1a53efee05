import { connect } from "node:net";
import { FRAME, FrameReader, packFrame } from "./agent/protocol.ts";

/** What commands ask a server, and what it answers. */
export interface ControlRequests {
  /** The targets, as `ps --json` prints them. */
  readonly targets: { readonly result: TargetRow[] };
  /** Where the server keeps its symbols. */
  readonly server: { readonly result: { pid: number; state: string; version: string } };
}

/** One target as `ps` shows it. */
export interface TargetRow {
  readonly id: number;
  readonly name: string;
  readonly pid: number;
  readonly runtime: string;
  /** Of a worker thread: its number for the kernel, and the target that has started it. */
  readonly tid?: number;
  readonly parent?: number;
  readonly link: string;
  readonly collector: string;
  readonly hold: string;
  readonly scripts: number;
  readonly blocks: number;
  readonly state: string;
  readonly note: string;
}

const MOST_BYTES = 256 * 1024 * 1024;
/** ms that a server is given to answer. */
const TIMEOUT = 10_000;

/**
 * Asks the server at a control socket.
 *
 * @throws when nobody listens, when the server refuses or does not answer in time.
 */
export async function askServer<K extends keyof ControlRequests>(
  socketPath: string,
  kind: K,
): Promise<ControlRequests[K]["result"]> {
  const socket = connect(socketPath);
  try {
    const answer = await new Promise<{ result?: unknown; error?: string }>((resolve, reject) => {
      const frames = new FrameReader((_, body) => {
        resolve(JSON.parse(new TextDecoder().decode(body)));
      }, MOST_BYTES);
      socket.setTimeout(TIMEOUT, () => reject(new Error(`no answer within ${TIMEOUT} ms`)));
      socket.on("data", (chunk) => {
        try {
          frames.push(chunk);
        } catch (error) {
          reject(error);
        }
      });
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("it closed the connection")));
      socket.write(packFrame(FRAME.request, Buffer.from(JSON.stringify({ kind }))));
    });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result as ControlRequests[K]["result"];
  } catch (error) {
    throw new Error(`Cannot ask the server at ${socketPath}: ${(error as Error).message}`);
  } finally {
    socket.destroy();
  }
}
