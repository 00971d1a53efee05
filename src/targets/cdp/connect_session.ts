import { CdpSession } from "./session.ts";
import { connectWebSocket } from "./web_socket.ts";

/** ms for the other side to accept the connection. */
const CONNECT_TIMEOUT = 5000;
/** Bytes of the longest message that is accepted. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Begins a session with the inspector at a WebSocket, for a few commands.
 *
 * @throws {Error} if nobody accepts the connection in time.
 */
export async function connectSession(url: string): Promise<CdpSession> {
  const transport = await connectWebSocket(url, {
    timeout: CONNECT_TIMEOUT,
    maxBytes: MOST_BYTES,
    saysFarewell: false,
  });
  return new CdpSession(transport, { isLenient: true });
}
