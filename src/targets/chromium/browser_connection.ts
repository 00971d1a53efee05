import { CdpSession } from "../cdp/session.ts";
import type { CdpTransport } from "../cdp/transport.ts";
import { connectWebSocket } from "../cdp/web_socket.ts";
import { Deferred } from "../../base/deferred.ts";

/** ms for Chromium to accept the connection. */
const CONNECT_TIMEOUT = 5000;
/** Bytes of the longest message that is accepted: a collection of a very large page is some MB. */
const MOST_BYTES = 256 * 1024 * 1024;
/** A flattened session's id ends each of its messages (`devtools_session.cc` appends it). */
const SESSION = /"sessionId":"([^"]+)"\}$/;
/** Bytes at a message's end that are searched for it. */
const TAIL = 96;
/** While the cache is off, the network's events come, several for each request. */
const NOISE = Buffer.from('{"method":"Network.');

/** A browser's own session and those with its targets, all over one connection. */
export class BrowserConnection implements AsyncDisposable {
  /** The browser's own session; it closes with the connection. */
  readonly browser: CdpSession;
  readonly #carrier: CdpTransport;
  readonly #own: FlatTransport;
  /** By the sessions' ids. */
  readonly #transports = new Map<string, FlatTransport>();
  /**
   * If the browser has ended a session, it refuses a command for it in its own session, under the command's
   * number (**measured** on Chromium 156). So no two commands of one connection may have the same number.
   */
  readonly #sessionOptions = { isLenient: true, nextId: () => ++this.#lastId };
  #lastId = 0;

  constructor(carrier: CdpTransport) {
    this.#carrier = carrier;
    this.#own = new FlatTransport((text) => carrier.send(text));
    this.browser = new CdpSession(this.#own, this.#sessionOptions);
    carrier.closed.then((reason) => this.#closeAll(reason));
    carrier.listen((message) => this.#receive(message));
  }

  /** @throws {Error} if nobody accepts the connection in time. */
  static async connect(url: string): Promise<BrowserConnection> {
    const options = { timeout: CONNECT_TIMEOUT, maxBytes: MOST_BYTES };
    return new BrowserConnection(await connectWebSocket(url, options));
  }

  /** Begins the session of an id that the browser has announced; once for each id. */
  open(id: string): CdpSession {
    const ending = `,"sessionId":${JSON.stringify(id)}}`;
    const transport = new FlatTransport((text) => this.#carrier.send(text.slice(0, -1) + ending));
    this.#transports.set(id, transport);
    transport.closed.then(() => this.#transports.delete(id));
    return new CdpSession(transport, this.#sessionOptions);
  }

  /** Ends a session that the browser has ended. */
  close(id: string, reason: string): void {
    this.#transports.get(id)?.close(reason);
  }

  #receive(message: Buffer): void {
    if (NOISE.equals(message.subarray(0, NOISE.length))) return;
    const tail = message.toString("latin1", Math.max(0, message.length - TAIL));
    const [, id] = tail.match(SESSION) ?? [];
    const transport = id === undefined ? this.#own : this.#transports.get(id);
    transport?.receive(message);
  }

  #closeAll(reason: string): void {
    for (const transport of [...this.#transports.values(), this.#own]) transport.close(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#carrier.close("detached");
    await this.browser.closed;
  }
}

/** The messages to and from one of the sessions. */
class FlatTransport implements CdpTransport {
  readonly #closed = new Deferred<string>();
  readonly closed = this.#closed.promise;
  readonly #write: (text: string) => void;
  #receive: ((message: Buffer) => void) | undefined;
  #isClosed = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  send(text: string): void {
    if (!this.#isClosed) this.#write(text);
  }

  listen(receive: (message: Buffer) => void): void {
    this.#receive = receive;
  }

  receive(message: Buffer): void {
    if (!this.#isClosed) this.#receive?.(message);
  }

  close(reason: string): void {
    this.#isClosed = true;
    this.#closed.resolve(reason);
  }
}
