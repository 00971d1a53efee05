import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { check, checkJson, ShapeError } from "../base/shape.ts";
import { FRAME, FrameReader, packFrame } from "./protocol.ts";
import { type Kind, type Params, RESPONSE, type Result, RESULTS } from "./requests.ts";
import { UserError } from "../base/user_error.ts";

const MOST_BYTES = 256 * 1024 * 1024;
/** ms for a server to answer. */
const TIMEOUT = 10_000;
/** ms for answers that wait for a target. */
const LONG_TIMEOUT = 60_000;
/** The same where scripts that run are to lose their probes. */
const DETACH_TIMEOUT = 600_000;

/** ms between two attempts to connect to a server whose queue is full. */
const RETRY_INTERVAL = 20;

/** The part of a request after its kind. */
type Rest<K extends Kind> = [Params<K>] extends [never] ? [] : [params: Params<K>];

/**
 * Asks the server at a control socket.
 *
 * @throws {UserError} if nobody listens, or the server refuses or does not answer in time.
 */
export async function askServer<K extends Kind>(
  socketPath: string,
  kind: K,
  ...[params]: Rest<K>
): Promise<Result<K>> {
  const timeout = kind === "detach" ? DETACH_TIMEOUT : params ? LONG_TIMEOUT : TIMEOUT;
  const socket = await connectInTime(socketPath, timeout);
  try {
    const text = await new Promise<string>((resolve, reject) => {
      const frames = new FrameReader((_, body) => {
        resolve(new TextDecoder().decode(body));
      }, MOST_BYTES);
      socket.setTimeout(timeout, () => reject(new Error(`no answer within ${timeout} ms`)));
      socket.on("data", (chunk) => {
        try {
          frames.push(chunk);
        } catch (error) {
          reject(error);
        }
      });
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("it closed the connection")));
      socket.write(packFrame(FRAME.request, Buffer.from(JSON.stringify({ kind, params }))));
    });
    return resultOf(kind, text);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { message } = error as Error;
    throw new UserError(`Cannot ask the server at ${socketPath}: ${message}`);
  } finally {
    socket.destroy();
  }
}

/** @throws if it is a refusal, or no answer to that question. */
function resultOf<K extends Kind>(kind: K, text: string): Result<K> {
  try {
    const { refusal, error, result } = checkJson(RESPONSE, text);
    if (refusal !== undefined) throw new UserError(refusal);
    if (error !== undefined) throw new Error(error);
    return check(RESULTS[kind], result);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new Error(`its answer makes no sense: ${error.message}; is it of another version?`);
  }
}

/** Connects; while the queue is full of others, it waits for a place. */
async function connectInTime(
  socketPath: string,
  timeout: number,
): Promise<Socket> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const socket = connect(socketPath);
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN" || performance.now() > deadline) {
        const way = code === "EACCES"
          ? "it is another user's; run with sudo, or start the server with --mode, --uid or --gid"
          : message;
        throw new UserError(`Cannot ask the server at ${socketPath}: ${way}`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL));
  }
}
