import { WebSocket } from "ws";
import { CdpClient, type Params, type Result } from "./cdp_client.ts";
import type { ProtocolMapping } from "devtools-protocol/types/protocol-mapping.js";

type Commands = ProtocolMapping.Commands;

/** ms that the other side is given to take the connection. */
const CONNECT_TIMEOUT = 5000;
/** Bytes of the longest message that is accepted. */
const MOST_BYTES = 16 * 1024 * 1024;

/** A session with an inspector over a WebSocket, for a few commands. */
export class CdpSession implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #client = new CdpClient();
  readonly #closed: Promise<void>;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    // Errors are followed by `close`.
    socket.on("error", (error) => this.#client.close(error.message));
    this.#closed = new Promise((resolve) =>
      socket.on("close", () => {
        this.#client.close("it closed the connection");
        resolve();
      })
    );
    socket.on("message", (data) => this.#client.receive(data.toString()));
  }

  /** @throws {Error} when nobody takes the connection in time. */
  static async connect(url: string): Promise<CdpSession> {
    const socket = new WebSocket(url, {
      handshakeTimeout: CONNECT_TIMEOUT,
      maxPayload: MOST_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    });
    const session = new CdpSession(socket);
    await new Promise<void>((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("error", reject);
    });
    return session;
  }

  /** Rejects when the command is refused, or not answered within `timeout` ms. */
  async send<M extends keyof Commands>(
    method: M,
    options: { params?: Params<M>; timeout: number },
  ): Promise<Result<M>> {
    const { text, reply } = this.#client.prepare(method, options.params);
    this.#socket.send(text, () => {});
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const reason = `no answer to ${method} within ${options.timeout} ms`;
      timer = setTimeout(() => reject(new Error(reason)), options.timeout);
    });
    try {
      return await Promise.race([reply, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Without WebSocket's farewell, which Node's inspector does not answer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate();
    await this.#closed;
  }
}
