import type * as v from "valibot";
import type { ProtocolMapping } from "devtools-protocol/types/protocol-mapping.js";
import { check, checkJson } from "../../base/shape.ts";
import { EVENTS, MESSAGE, RESULTS, type Told } from "./shapes.ts";

/** Node's own domain; Deno has it, too (Node's `src/inspector/node_protocol.pdl`). */
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
/** The parameters of a command. */
export type Params<M extends keyof Commands> = Commands[M]["paramsType"][0];
/** The part of a command's answer that is read. */
export type Result<M extends keyof Commands> = Told<typeof RESULTS, M>;
/** The part of an event that is read. */
export type Event<E extends keyof Events> = Told<typeof EVENTS, E>;

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
 * The Chrome DevTools Protocol in promises: numbers commands and matches answers to them. The caller carries
 * the texts.
 */
export class CdpClient {
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Map<string, (params: never) => void>();
  readonly #nextId: () => number;
  #lastId = 0;
  #closed: CdpError | undefined;

  /** @param options `nextId`: numbers the commands; without it they count from 1. */
  constructor(options: { nextId?: () => number } = {}) {
    this.#nextId = options.nextId ?? (() => ++this.#lastId);
  }

  /** The number of commands that have not been answered. */
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
    // The sender of a batch may wait for its last answer only.
    reply.catch(() => {});
    return { id, text, reply };
  }

  /** Calls back for each event of a name; one listener a name. */
  on<E extends keyof Events>(event: E, listener: (params: Event<E>) => void): void {
    this.#listeners.set(event, listener as (params: never) => void);
  }

  off(event: keyof Events): void {
    this.#listeners.delete(event);
  }

  /**
   * Takes a message of the other side.
   *
   * @throws {Error} if it makes no sense, or answers a command that was not sent.
   */
  receive(text: string): void {
    this.#take(checkJson(MESSAGE, text));
  }

  /** The answer to a command comes by another way. */
  forget(id: number): void {
    this.#pending.delete(id);
  }

  /** The same for a message that was already parsed. */
  take(value: unknown): void {
    this.#take(check(MESSAGE, value));
  }

  #take({ id, method, params, result, error }: v.InferOutput<typeof MESSAGE>): void {
    if (id === undefined) return this.#tell(method, params);
    const pending = this.#pending.get(id);
    if (!pending) throw new Error(`it answers command ${id}, which nobody has sent`);
    this.#pending.delete(id);
    try {
      if (error !== undefined) throw new Error(reasonOf(error));
      pending.resolve(checkBy(RESULTS, pending.method, result) as never);
    } catch (error) {
      pending.reject(new CdpError(`Cannot run ${pending.method}: ${(error as Error).message}`));
    }
  }

  /** Calls the listener of an event, if there is one. */
  #tell(method: string | undefined, params: unknown): void {
    if (method === undefined) throw new Error("it is neither an answer nor an event");
    const listener = this.#listeners.get(method);
    if (listener) listener(checkBy(EVENTS, method, params) as never);
  }

  /** Ends it: pending commands are rejected, and so are later ones. */
  close(reason: string): void {
    this.#closed ??= new CdpError(`Cannot reach the target: ${reason}`);
    for (const { reject } of this.#pending.values()) reject(this.#closed);
    this.#pending.clear();
  }
}

/** @throws {Error} one line: the fault, and its place. */
function checkBy(
  table: Readonly<Record<string, v.GenericSchema>>,
  name: string,
  value: unknown,
): unknown {
  if (!Object.hasOwn(table, name)) return undefined;
  try {
    return check(table[name], value);
  } catch (error) {
    throw new Error(`in ${name}, ${(error as Error).message}`);
  }
}

function reasonOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === "string" ? message : "refused";
}
