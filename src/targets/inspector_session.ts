import { TAKE_METHOD } from "../agent/protocol.ts";
import { pickScripts } from "../agent/script_slices.ts";
import { CdpClient, type Commands, type Events, type Params, type Result } from "./cdp_client.ts";
import type { CdpTransport } from "./cdp_transport.ts";

const NO_COVERAGE: Uint8Array = Buffer.from("[]");

/** A session with a V8 inspector: commands and events, and collections as bytes. */
export class InspectorSession {
  /** Resolves, with a reason, when the session is over. */
  readonly closed: Promise<string>;
  readonly #transport: CdpTransport;
  readonly #client = new CdpClient();
  readonly #ignored = new Set<string>();
  /** How the answer to the collection under way begins, and what it brought. */
  #taking: { id: number; opening: Buffer; coverage: Uint8Array | undefined } | undefined;

  constructor(transport: CdpTransport) {
    this.#transport = transport;
    this.closed = transport.closed.then((reason) => {
      this.#client.close(reason);
      return reason;
    });
    transport.listen((message) => this.#receive(message));
  }

  /** Rejects when it is refused, and when the session ends. */
  send<M extends keyof Commands>(method: M, params?: Params<M>): Promise<Result<M>> {
    const { text, reply } = this.#client.prepare(method, params);
    this.#transport.send(text);
    return reply;
  }

  /** Calls back for each event of a name; one listener a name. */
  on<E extends keyof Events>(event: E, listener: (params: Events[E][0]) => void): void {
    this.#client.on(event, listener);
  }

  /**
   * Collects; one at a time.
   *
   * @returns the JSON array of V8's script coverages, as text.
   */
  async take(): Promise<Uint8Array> {
    const { id, text, reply } = this.#client.prepare(TAKE_METHOD);
    const taking = { id, opening: Buffer.from(`{"id":${id},`), coverage: undefined };
    this.#taking = taking;
    this.#transport.send(text);
    const { result } = await reply;
    if (taking.coverage) return taking.coverage;
    return Array.isArray(result) ? Buffer.from(JSON.stringify(result)) : NO_COVERAGE;
  }

  /** Scripts that {@linkcode take} leaves out from now on. */
  ignore(scriptIds: readonly string[]): void {
    for (const id of scriptIds) this.#ignored.add(id);
  }

  /** Ends it; {@linkcode closed} resolves with the reason. */
  close(reason: string): void {
    this.#transport.close(reason);
  }

  #receive(message: Buffer): void {
    if (this.#receiveCoverage(message) || this.#client.receive(message.toString())) return;
    this.close("what answers does not speak the Chrome DevTools Protocol");
  }

  /** A collection is large, and its text is handed on as it is. */
  #receiveCoverage(message: Buffer): boolean {
    const taking = this.#taking;
    if (!taking || !message.subarray(0, taking.opening.length).equals(taking.opening)) return false;
    const picked = pickScripts(
      message,
      (scriptId, isRuntime) => !isRuntime && !this.#ignored.has(scriptId),
    );
    if (!picked) return false;
    this.#taking = undefined;
    taking.coverage = picked;
    return this.#client.receive(`{"id":${taking.id},"result":{}}`);
  }
}
