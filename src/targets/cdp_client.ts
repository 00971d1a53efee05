import type { ProtocolMapping } from "devtools-protocol/types/protocol-mapping.js";

/** Node's own domain, which Deno has too (Node's `src/inspector/node_protocol.pdl`). */
interface NodeCommands {
  readonly "NodeRuntime.enable": { paramsType: []; returnType: void };
  readonly "NodeRuntime.notifyWhenWaitingForDisconnect": {
    paramsType: [{ enabled: boolean }];
    returnType: void;
  };
}

interface NodeEvents {
  readonly "NodeRuntime.waitingForDisconnect": [];
}

/** Every command, by its name. */
export type Commands = ProtocolMapping.Commands & NodeCommands;
/** Every event, by its name. */
export type Events = ProtocolMapping.Events & NodeEvents;
/** What a command takes. */
export type Params<M extends keyof Commands> = Commands[M]["paramsType"][0];
/** What a command answers. */
export type Result<M extends keyof Commands> = Commands[M]["returnType"];

/** A command that the other side refused, or that was pending when the connection closed. */
export class CdpError extends Error {
  override name = "CdpError";
}

interface Pending {
  readonly method: string;
  readonly resolve: (result: never) => void;
  readonly reject: (error: CdpError) => void;
}

/** A command as text, and the promise of its answer. */
export interface PreparedCommand<T> {
  readonly id: number;
  readonly text: string;
  readonly reply: Promise<T>;
}

/**
 * The Chrome DevTools Protocol in promises: numbers commands and matches answers to them. How texts
 * travel is the caller's matter.
 */
export class CdpClient {
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Map<string, (params: never) => void>();
  readonly #nextId: () => number;
  #lastId = 0;
  #closed: CdpError | undefined;

  /** @param options `nextId`: numbers the commands; without it they are counted from 1. */
  constructor(options: { nextId?: () => number } = {}) {
    this.#nextId = options.nextId ?? (() => ++this.#lastId);
  }

  /** How many commands have not been answered. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Makes a command that the caller sends by itself. */
  prepare<M extends keyof Commands>(method: M, params?: Params<M>): PreparedCommand<Result<M>> {
    const id = this.#nextId();
    const text = JSON.stringify({ id, method, params });
    const reply = new Promise<Result<M>>((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      this.#pending.set(id, { method, resolve, reject });
    });
    // Whoever sends a batch may wait for its last answer only.
    reply.catch(() => {});
    return { id, text, reply };
  }

  /** Calls back for each event of a name; one listener a name. */
  on<E extends keyof Events>(event: E, listener: (params: Events[E][0]) => void): void {
    this.#listeners.set(event, listener as (params: never) => void);
  }

  off(event: keyof Events): void {
    this.#listeners.delete(event);
  }

  /** Takes a message of the other side; one that makes no sense is reported by the return value. */
  receive(text: string): boolean {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return false;
    }
    return this.take(value);
  }

  /** The answer to a command comes by another way. */
  forget(id: number): void {
    this.#pending.delete(id);
  }

  /** The same of a message that was parsed. */
  take(value: unknown): boolean {
    if (typeof value !== "object" || value === null) return false;
    const message: {
      id?: number;
      method?: string;
      params?: never;
      result?: never;
      error?: unknown;
    } = value;
    if (message.id === undefined) {
      return this.#tell(message.method, message.params);
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return false;
    this.#pending.delete(message.id);
    if (message.error !== undefined) {
      const reason = (message.error as { message?: unknown } | null)?.message;
      const text = typeof reason === "string" ? reason : "refused";
      pending.reject(new CdpError(`Cannot run ${pending.method}: ${text}`));
    } else pending.resolve(message.result!);
    return true;
  }

  /** Whether a listener could make sense of an event, if there is one. */
  #tell(method: unknown, params: unknown): boolean {
    if (typeof method !== "string") return false;
    try {
      this.#listeners.get(method)?.((params ?? {}) as never);
      return true;
    } catch {
      // It is not of the shape that the protocol says.
      return false;
    }
  }

  /** Ends it: what is pending is rejected, and so is what comes later. */
  close(reason: string): void {
    this.#closed ??= new CdpError(`Cannot reach the target: ${reason}`);
    for (const { reject } of this.#pending.values()) reject(this.#closed);
    this.#pending.clear();
  }
}
