import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type RawData, WebSocket } from "ws";
import { acknowledgeAtOnce } from "../../base/system_calls.ts";
import type { CdpTransport } from "./transport.ts";

/** The limits of the other side. */
export interface WebSocketOptions {
  /** ms for it to answer the handshake. */
  readonly timeout: number;
  /** Bytes of the longest message that is accepted. */
  readonly maxBytes?: number;
  /** False if the other side does not answer WebSocket's farewell: Node's inspector does not. */
  readonly saysFarewell?: boolean;
}

/** Bytes of a message: V8's report of a very large program has a tenth of that. */
const MOST_BYTES = 64 * 1024 * 1024;
/** ms for a peer to answer the closing handshake. */
const CLOSE_TIMEOUT = 1000;

/**
 * Connects to an inspector.
 *
 * @param url `ws://HOST:PORT/PATH`.
 * @throws if nobody answers there in time, or if the answer is no WebSocket's.
 */
export async function connectWebSocket(
  url: string,
  options: WebSocketOptions,
): Promise<CdpTransport> {
  const webSocket = new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload: options.maxBytes ?? MOST_BYTES,
    handshakeTimeout: options.timeout,
    followRedirects: false,
  });
  webSocket.once("upgrade", ({ socket }: IncomingMessage) => acknowledge(socket));
  // Messages may come with the answer to the handshake.
  const transport = new WebSocketTransport(webSocket, options);
  await new Promise<void>((resolve, reject) => {
    webSocket.once("open", resolve);
    transport.closed.then((reason) => reject(new Error(`Cannot connect to ${url}: ${reason}`)));
  });
  return transport;
}

/**
 * The inspectors of Node and Deno leave Nagle's algorithm on, and send several messages in a row. The
 * second waits until the first is acknowledged, and Linux delays that by 40 ms. Measured: 43 ms for
 * each of collecting and resuming; 0.4 ms if each message is acknowledged at once.
 */
function acknowledge(socket: Socket): void {
  // Node has no public way to the descriptor.
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (fd !== undefined && fd >= 0) {
    socket.on("data", () => !socket.destroyed && acknowledgeAtOnce(fd));
  }
}

class WebSocketTransport implements CdpTransport {
  readonly closed: Promise<string>;
  readonly #webSocket: WebSocket;
  #receive: ((message: Buffer) => void) | undefined;
  #early: Buffer[] = [];
  #reason: string | undefined;
  readonly #saysFarewell: boolean;

  constructor(webSocket: WebSocket, { saysFarewell = true }: WebSocketOptions) {
    this.#webSocket = webSocket;
    this.#saysFarewell = saysFarewell;
    webSocket.on("message", (data: RawData) => {
      // Its type depends on `binaryType`, which is left at its default.
      const message = data as Buffer;
      if (this.#receive) this.#receive(message);
      else this.#early.push(message);
    });
    webSocket.on("error", ({ message }) => this.#reason ??= message || "connection refused");
    this.closed = new Promise((resolve) => {
      webSocket.once("close", () => resolve(this.#reason ?? "connection lost"));
    });
  }

  send(text: string): void {
    if (this.#webSocket.readyState === WebSocket.OPEN) this.#webSocket.send(text);
  }

  listen(receive: (message: Buffer) => void): void {
    this.#receive = receive;
    for (const message of this.#early.splice(0)) receive(message);
  }

  close(reason: string): void {
    this.#reason ??= reason;
    if (!this.#saysFarewell) return this.#webSocket.terminate();
    this.#webSocket.close();
    const timer = setTimeout(() => this.#webSocket.terminate(), CLOSE_TIMEOUT);
    this.closed.then(() => clearTimeout(timer));
  }
}
