import { TAKE_METHOD } from "../../messages/protocol.ts";
import { inTime } from "../../base/in_time.ts";
import {
  CdpClient,
  type Commands,
  type Event,
  type Events,
  type Params,
  type Result,
} from "./client.ts";
import type { CdpTransport } from "./transport.ts";

/** A collection under way. */
interface Taking {
  readonly pick: Pick;
  coverage?: Buffer;
}

/** Picks a part of an answer's bytes; undefined if they are no such answer. */
type Pick = (answer: Buffer) => Buffer | undefined;

export interface CdpSessionOptions {
  /** Whether the session goes on after a message that makes no sense, or answers nothing. */
  readonly isLenient?: boolean;
  /** Numbers its commands, if several sessions share one connection. */
  readonly nextId?: () => number;
}

const NO_COVERAGE = Buffer.from("[]");
/** The beginning of V8's answers that are no errors. */
const ANSWER = /^\{"id":(\d+),"result"/;
/** Bytes at a message's beginning that are searched for it. */
const HEAD = 32;

/** A session with a V8 inspector: commands and events, and collections as bytes. */
export class CdpSession implements AsyncDisposable {
  /** Resolves, with a reason, when the session is over. */
  readonly closed: Promise<string>;
  readonly #transport: CdpTransport;
  readonly #client: CdpClient;
  readonly #isLenient: boolean;
  /** By the ids of their commands. */
  readonly #takings = new Map<number, Taking>();

  constructor(transport: CdpTransport, options: CdpSessionOptions = {}) {
    this.#transport = transport;
    this.#client = new CdpClient(options);
    this.#isLenient = options.isLenient ?? false;
    this.closed = transport.closed;
    this.closed.then((reason) => this.#client.close(reason));
    transport.listen((message) => this.#receive(message));
  }

  /**
   * Rejects if the command is refused, if the session ends, and if no answer comes in time.
   *
   * @param options `timeout`: ms for the other side to answer; without it, there is no limit.
   */
  send<M extends keyof Commands>(
    method: M,
    params?: Params<M>,
    options: { timeout?: number } = {},
  ): Promise<Result<M>> {
    const { timeout } = options;
    const { text, reply } = this.#client.prepare(method, params);
    this.#transport.send(text);
    if (timeout === undefined) return reply;
    return inTime(reply, timeout, { reason: `no answer to ${method} within ${timeout} ms` });
  }

  /** Calls back for each event of a name; one listener a name. */
  on<E extends keyof Events>(event: E, listener: (params: Event<E>) => void): void {
    this.#client.on(event, listener);
  }

  /**
   * Collects. The answer is large, and is not parsed.
   *
   * @param pick Picks the wanted part of the answer.
   * @returns the picked part; if the answer is not in V8's form, the JSON array of script coverages in it.
   */
  async take(pick: Pick): Promise<Buffer> {
    const { id, text, reply } = this.#client.prepare(TAKE_METHOD);
    const taking: Taking = { pick };
    this.#takings.set(id, taking);
    this.#transport.send(text);
    try {
      const { result } = await reply;
      if (taking.coverage) return taking.coverage;
      return Array.isArray(result) ? Buffer.from(JSON.stringify(result)) : NO_COVERAGE;
    } finally {
      this.#takings.delete(id);
    }
  }

  /** Ends it; {@linkcode closed} resolves with the reason. */
  close(reason: string): void {
    this.#transport.close(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close("not needed any more");
    await this.closed;
  }

  #receive(message: Buffer): void {
    try {
      if (!this.#receiveCoverage(message)) this.#client.receive(message.toString());
    } catch (error) {
      const { message } = error as Error;
      if (this.#isLenient) return;
      this.close(`what answers does not speak the Chrome DevTools Protocol: ${message}`);
    }
  }

  #receiveCoverage(message: Buffer): boolean {
    if (this.#takings.size === 0) return false;
    const [, digits] = message.toString("latin1", 0, HEAD).match(ANSWER) ?? [];
    const id = Number(digits);
    const taking = this.#takings.get(id);
    const picked = taking?.pick(message);
    if (!taking || !picked) return false;
    taking.coverage = picked;
    this.#client.receive(`{"id":${id},"result":{}}`);
    return true;
  }
}
