import type { ProtocolMapping } from "devtools-protocol/types/protocol-mapping.js";
import { TAKE_METHOD } from "../../agent/protocol.ts";
import { CdpClient, type Params, type Result } from "../cdp_client.ts";

type Commands = ProtocolMapping.Commands;
type Events = ProtocolMapping.Events;

/** The browser's own session, or one that was attached to a target of its. */
export class Session {
  readonly id: string | undefined;
  readonly closed: Promise<string>;
  readonly #client: CdpClient;
  readonly #write: (text: string) => void;
  /** By id, the collections under way, whose answers are taken as bytes. */
  readonly #takes = new Map<number, (answer: Buffer) => void>();
  #close!: (reason: string) => void;

  /** @param options `id`: none for the browser's own. */
  constructor(write: (text: string) => void, options: { id?: string } = {}) {
    this.id = options.id;
    this.#write = write;
    this.#client = new CdpClient(options.id);
    this.closed = new Promise((resolve) => this.#close = resolve);
  }

  /** Rejects when the command is refused, and when the session closes. */
  send<M extends keyof Commands>(method: M, params?: Params<M>): Promise<Result<M>> {
    const { text, reply } = this.#client.prepare(method, params);
    this.#write(text);
    return reply;
  }

  /** Takes V8's counts; resolves with the whole answer as it came. */
  take(): Promise<Buffer> {
    const { id, text, reply } = this.#client.prepare(TAKE_METHOD);
    const answer = new Promise<Buffer>((resolve, reject) => {
      this.#takes.set(id, resolve);
      reply.catch((error) => {
        this.#takes.delete(id);
        reject(error);
      });
    });
    this.#write(text);
    return answer;
  }

  /** Calls back for each event of a name; one listener a name. */
  on<E extends keyof Events>(event: E, listener: (params: Events[E][0]) => void): void {
    this.#client.on(event, listener);
  }

  receive(message: Buffer): void {
    if (isNoise(message)) return;
    const id = idOf(message);
    const taken = id === undefined ? undefined : this.#takes.get(id);
    if (!taken) {
      this.#client.receive(message.toString());
      return;
    }
    this.#takes.delete(id!);
    taken(message);
    this.#client.receive(`{"id":${id},"result":{}}`);
  }

  /** Ends it: what is pending is rejected, and so is what comes later. */
  close(reason: string): void {
    this.#client.close(reason);
    this.#close(reason);
  }
}

const NOISE = Buffer.from('{"method":"Network.');
const ANSWER = /^\{"id":(\d+),"result"/;

/** The network's events come with its cache's being off, several for each request. */
function isNoise(message: Buffer): boolean {
  return NOISE.equals(message.subarray(0, NOISE.length));
}

/** The id of an answer that is no error. */
function idOf(message: Buffer): number | undefined {
  const [, digits] = message.toString("latin1", 0, 32).match(ANSWER) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
