import { type RawData, WebSocket } from "ws";
import { Session } from "./session.ts";

/** ms that Chromium is given to take the connection. */
const CONNECT_TIMEOUT = 5000;
/** Bytes of the longest message that is accepted: a collection of a very large page is some MB. */
const MOST_BYTES = 256 * 1024 * 1024;
/** A flattened session's id ends each of its messages (`devtools_session.cc` appends it). */
const SESSION = /"sessionId":"([^"]+)"\}$/;
/** Bytes at a message's end among which it is looked for. */
const TAIL = 96;

/** The browser's WebSocket, over which all sessions with its targets go. */
export class BrowserSocket implements AsyncDisposable {
  /** The browser's own session; it closes with the socket. */
  readonly browser: Session;
  readonly #socket: WebSocket;
  readonly #sessions = new Map<string, Session>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.browser = new Session((text) => this.#write(text));
    // Errors are followed by `close`.
    socket.on("error", () => {});
    socket.on("close", () => this.#closeAll());
    socket.on("message", (data) => this.#receive(data));
  }

  /** @throws {Error} when nobody takes the connection in time. */
  static async connect(url: string): Promise<BrowserSocket> {
    const socket = new WebSocket(url, {
      handshakeTimeout: CONNECT_TIMEOUT,
      maxPayload: MOST_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    });
    const connected = new BrowserSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("error", reject);
    });
    return connected;
  }

  /** The session with an id, which the browser has told. */
  session(id: string): Session {
    let session = this.#sessions.get(id);
    if (!session) {
      session = new Session((text) => this.#write(text), { id });
      this.#sessions.set(id, session);
    }
    return session;
  }

  /** Ends a session that the browser has ended. */
  closeSession(id: string, reason: string): void {
    this.#sessions.get(id)?.close(reason);
    this.#sessions.delete(id);
  }

  #write(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text, () => {});
  }

  #receive(data: RawData): void {
    const message = data as Buffer;
    const tail = message.toString("latin1", Math.max(0, message.length - TAIL));
    const [, id] = tail.match(SESSION) ?? [];
    if (id === undefined) this.browser.receive(message);
    else this.#sessions.get(id)?.receive(message);
  }

  #closeAll(): void {
    const sessions = [...this.#sessions.values(), this.browser];
    this.#sessions.clear();
    for (const session of sessions) session.close("connection lost");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    const timer = setTimeout(() => this.#socket.terminate(), 1000);
    await this.browser.closed;
    clearTimeout(timer);
  }
}
