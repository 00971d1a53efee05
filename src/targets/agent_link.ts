import { closeSync, constants, openSync, rmSync, writeSync } from "node:fs";
import type { Socket } from "node:net";
import { Awaited } from "../messages/awaited.ts";
import { agentCall } from "../messages/shared_words.ts";
import {
  FAREWELL_BATCH,
  FRAME,
  packFrame,
  packNumber,
  type ProbedSource,
  TAKE_METHOD,
  type TracedArea,
  unpackNumber,
  type Welcome,
} from "../messages/protocol.ts";
import type * as v from "valibot";
import {
  LIVE_REPORT,
  LOADED_SCRIPTS,
  NEW_SOURCE,
  type NewSource,
  SCRIPT_URLS,
  SOURCES,
} from "../messages/agent_messages.ts";
import { parseFlatJson } from "../base/flat_json.ts";
import { check } from "../base/shape.ts";
import { FRAME_BOUNDS, hasKnownLength, mostFrameBytes, parseFrame } from "./agent_frames.ts";
import type { LiveReport, LoadedScript } from "../messages/live.ts";
import { CdpClient, type PreparedCommand } from "./cdp/client.ts";
import type { Link, Taken } from "./link.ts";
import { ProbingLoad } from "./probing_load.ts";

/** ms for an agent to put everything back, before the connection ends without it. */
const DETACH_TIMEOUT = 10_000;
/** The same where scripts that run are to lose their probes. */
const EDITED_DETACH_TIMEOUT = 600_000;

interface Batch {
  coverage: Uint8Array | undefined;
  readonly resolve: (outcome: { coverage: Uint8Array | undefined; held: boolean }) => void;
  readonly reject: (error: Error) => void;
}

export interface AgentLinkOptions {
  /** ms for the target to answer. */
  readonly collectTimeout: number;
  /** Whether its scripts get probes. */
  readonly isTraced: boolean;
}

/** Bytes of messages that answer nothing, while an answer is awaited. */
const MOST_USELESS_BYTES = 64 * 1024 * 1024;
/** Bytes that the target has not read yet. */
const MOST_UNREAD_BYTES = 64 * 1024 * 1024;

/** Messages that an agent sends of its own accord. */
export interface AgentEvents {
  /** Takes the target's last coverage; the target exits when the promise is settled. */
  readonly onFarewell: (coverage: Uint8Array) => Promise<void>;
  /** A hold lasted too long and was given up. */
  readonly onExpired: () => void;
  /** A script is about to be compiled, and waits for its probes. Never rejects. */
  readonly onSource: (source: NewSource) => Promise<ProbedSource>;
  /** Which of the scripts that are loaded already are to have probes, by their indices. */
  readonly onLoaded?: (scripts: readonly LoadedScript[]) => readonly number[];
  /** How far one of them has come; undefined when all were tried. */
  readonly onEdited?: (report: LiveReport | undefined) => void;
}

/** A Node process with the agent in it, on the control socket. */
export class AgentLink implements Link {
  readonly kind = "agent";
  readonly hold = "gate";
  readonly closed: Promise<string>;
  readonly #socket: Socket;
  readonly #client = new CdpClient();
  readonly #batches = new Map<number, Batch>();
  readonly #events: AgentEvents;
  /** The changes of areas that the target has not confirmed yet. */
  readonly #tracing = new Awaited<string>();
  readonly #lists = new Awaited<readonly string[]>();
  #nextBatch = FAREWELL_BATCH + 1;
  #isHeld = false;
  /** The target's pipe; and the number that lets it through the gate at which it is held, or 0. */
  #pipe: number | undefined;
  #gate = 0;
  #isLeaving = false;
  /** Whether scripts that it had loaded before get probes. */
  #isEdited = false;
  #isDetaching = false;
  /** Whether its last coverage was taken. */
  #hasLeft = false;
  /** Whether there was a hold since the target last gave one up. */
  #mayExpire = false;
  /** Why this end has closed the connection. */
  #failure: string | undefined;
  readonly #options: AgentLinkOptions;
  #useless = 0;
  readonly #probing: ProbingLoad;

  /** @param socket Connected, its frames handed to {@linkcode receive}. */
  constructor(socket: Socket, events: AgentEvents, options: AgentLinkOptions) {
    this.#socket = socket;
    this.#probing = new ProbingLoad(socket);
    this.#events = events;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        if (this.#pipe !== undefined) closeSync(this.#pipe);
        this.#pipe = undefined;
        const reason = this.#reason;
        this.#client.close(reason);
        for (const { coverage, resolve, reject } of this.#batches.values()) {
          // The coverage that was already collected is not lost with the target.
          if (coverage) resolve({ coverage, held: false });
          else reject(new Error(reason));
        }
        this.#batches.clear();
        // A target that is gone writes nothing.
        this.#tracing.answerAll("");
        this.#lists.answerAll([]);
        resolve(reason);
      });
    });
  }

  /** Why the connection has ended. */
  get #reason(): string {
    if (this.#failure !== undefined) return this.#failure;
    if (this.#isDetaching) return "detached";
    return this.#isLeaving ? "exited" : "connection lost";
  }

  /** Bytes of the longest frame of a type that the target may send. */
  mostBytes(type: number): number {
    return mostFrameBytes(type, this.#options.collectTimeout);
  }

  /** Ends the connection with a target that does something forbidden. */
  fail(reason: string): void {
    this.#failure ??= reason;
    this.#socket.destroy();
  }

  /** Lets the target start. */
  welcome(welcome: Welcome): void {
    try {
      this.#pipe = openSync(welcome.pipe, constants.O_RDWR | constants.O_NONBLOCK);
    } catch {
      // Then only the agent can let its main thread go.
    }
    // The agent has removed it already, if it could.
    this.closed.then(() => rmSync(welcome.pipe, { force: true }));
    this.#send(FRAME.welcome, Buffer.from(JSON.stringify(welcome)));
  }

  /** The process becomes no target: it runs without coverage. */
  refuse(): void {
    this.#socket.destroySoon();
  }

  /** Takes a frame of the agent's. Never throws: a frame that makes no sense ends the connection. */
  receive(type: number, body: Uint8Array): void {
    if (this.#socket.destroyed) return;
    if (!hasKnownLength(type, body.length)) {
      return this.fail(`it sends nonsense: ${body.length} bytes of type ${type}`);
    }
    switch (type) {
      case FRAME.message:
        return this.#message(body);
      case FRAME.taken:
        return this.#taken(unpackNumber(body), body.subarray(4));
      case FRAME.held:
      case FRAME.unheld:
        return this.#finish(unpackNumber(body), {
          held: type === FRAME.held,
          gate: type === FRAME.held ? unpackNumber(body, 4) : 0,
        });
      case FRAME.farewell:
        this.#isLeaving = true;
        return;
      case FRAME.expired:
        return this.#expired();
      case FRAME.source:
        if (!this.#options.isTraced) {
          return this.fail("it sends nonsense: a script for probes, which it has none of");
        }
        return this.#read(
          body,
          NEW_SOURCE,
          (number, source) => void this.#probe(number, source),
        );
      case FRAME.loaded:
        if (!this.#options.isTraced) {
          return this.fail("it sends nonsense: scripts for probes, which it has none of");
        }
        this.#isEdited = true;
        return this.#read(body, LOADED_SCRIPTS, (number, scripts) => {
          const chosen = this.#events.onLoaded?.(scripts) ?? [];
          this.#send(FRAME.chosen, packNumber(number), Buffer.from(JSON.stringify(chosen)));
        });
      case FRAME.edited:
        return this.#edited(body);
      case FRAME.traced:
        return this.#tracing.answer(unpackNumber(body), decoder.decode(body.subarray(4)));
      case FRAME.scripts:
        if (!this.#lists.has(unpackNumber(body))) return;
        return this.#read(
          body,
          SCRIPT_URLS,
          (number, urls) => this.#lists.answer(number, urls),
        );
    }
  }

  /** Ignores a message if nobody waits for one. */
  #message(body: Uint8Array): void {
    const pending = this.#client.pending;
    if (pending === 0) return;
    try {
      this.#client.take(parseFlatJson(body, FRAME_BOUNDS));
    } catch {
      // The message makes no sense.
    }
    if (this.#client.pending < pending) this.#useless = 0;
    else this.#useless += body.length;
    if (this.#useless > MOST_USELESS_BYTES) {
      this.fail(`it sends nonsense: ${this.#useless} bytes that answer nothing`);
    }
  }

  /** Takes a number and JSON. */
  #read<S extends v.GenericSchema>(
    body: Uint8Array,
    schema: S,
    take: (number: number, value: v.InferOutput<S>) => void,
  ): void {
    const value = this.#parse(body.subarray(4), schema);
    if (value !== undefined) take(unpackNumber(body), value);
  }

  /** @returns undefined when the text makes no sense, and so the connection has ended. */
  #parse<S extends v.GenericSchema>(body: Uint8Array, schema: S): v.InferOutput<S> | undefined {
    try {
      return parseFrame(body, schema);
    } catch (error) {
      this.fail(`it sends nonsense: ${(error as Error).message}`);
      return undefined;
    }
  }

  #edited(body: Uint8Array): void {
    const report = this.#parse(body, LIVE_REPORT);
    if (report !== undefined) this.#events.onEdited?.(report ?? undefined);
  }

  /** A target can give up a hold only once. */
  #expired(): void {
    if (!this.#mayExpire) return;
    this.#mayExpire = false;
    this.#events.onExpired();
  }

  async #probe(number: number, source: NewSource): Promise<void> {
    const probed = await this.#probing.during(
      source.source.length,
      () => this.#events.onSource(source),
    );
    this.#send(FRAME.probed, packNumber(number), Buffer.from(JSON.stringify(probed)));
  }

  async trace(areas: readonly TracedArea[]): Promise<void> {
    if (this.#socket.destroyed) return;
    const text = Buffer.from(JSON.stringify(areas));
    const reason = await this.#tracing.ask((number) =>
      this.#send(FRAME.areas, packNumber(number), text)
    );
    if (reason !== "") throw new Error(reason);
  }

  async listScripts(): Promise<readonly string[]> {
    if (this.#socket.destroyed) return [];
    return await this.#lists.ask((number) => this.#send(FRAME.list, packNumber(number)));
  }

  #taken(number: number, coverage: Uint8Array): void {
    if (number === FAREWELL_BATCH) {
      if (this.#hasLeft) return this.fail("it sends nonsense: its last coverage a second time");
      this.#hasLeft = true;
      const goodbye = () => this.#send(FRAME.goodbye);
      this.#events.onFarewell(coverage).then(goodbye, goodbye);
      return;
    }
    const batch = this.#batches.get(number);
    if (batch) batch.coverage = coverage;
  }

  #finish(number: number, outcome: { held: boolean; gate: number }): void {
    const batch = this.#batches.get(number);
    this.#batches.delete(number);
    this.#gate = outcome.gate;
    batch?.resolve({ coverage: batch.coverage, held: outcome.held });
  }

  async stop(options: { run: number; hold: boolean }): Promise<Taken> {
    const take = this.#client.prepare(TAKE_METHOD);
    // The answer to this command comes as `taken`.
    this.#client.forget(take.id);
    this.#isHeld = options.hold;
    this.#mayExpire ||= options.hold;
    const { coverage, held } = await this.#run([take], options.run);
    return { coverage: coverage ?? NOTHING, held };
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#send(FRAME.release, packNumber(this.#wake()));
  }

  /**
   * Lets the target through its gate at once: this is faster than by way of the agent.
   *
   * @returns the gate's number, or 0 if that cannot be done.
   */
  #wake(): number {
    if (this.#pipe === undefined || this.#gate === 0) return 0;
    try {
      writeSync(this.#pipe, Int32Array.of(this.#gate));
      return this.#gate;
    } catch {
      return 0;
    }
  }

  async fetchSources(scriptIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const expression = agentCall(`sources([${scriptIds}])`);
    const ask = this.#client.prepare("Runtime.evaluate", {
      expression,
      silent: true,
      returnByValue: true,
    });
    const [{ result, exceptionDetails }] = await Promise.all([ask.reply, this.#run([ask])]);
    if (exceptionDetails) throw new Error(firstLine(result.description ?? exceptionDetails.text));
    return new Map(Object.entries(check(SOURCES, result.value)));
  }

  ignore(scriptIds: readonly string[]): void {
    this.#send(FRAME.ignore, Buffer.from(JSON.stringify(scriptIds)));
  }

  /** Sends a batch; after it the target is held if `#isHeld` says so. */
  #run(
    commands: readonly PreparedCommand<unknown>[],
    run = 0,
  ): Promise<{ coverage: Uint8Array | undefined; held: boolean }> {
    const number = this.#nextBatch++;
    // The target leaves its present gate for the next.
    this.#gate = 0;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error(this.#reason));
      this.#batches.set(number, { coverage: undefined, resolve, reject });
      const messages = JSON.stringify(commands.map(({ id, text }) => [id, text]));
      this.#send(
        FRAME.batch,
        packNumber(number),
        Uint8Array.of(this.#isHeld ? 1 : 0),
        packNumber(Math.round(run)),
        Buffer.from(messages),
      );
    });
  }

  #send(type: number, ...parts: Uint8Array[]): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(packFrame(type, ...parts));
    if (this.#socket.writableLength > MOST_UNREAD_BYTES) {
      this.fail("it does not read");
    }
  }

  /** When this resolves, the target is as it was before, unless it does not answer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    this.#isDetaching = true;
    this.#send(FRAME.detach);
    const limit = this.#isEdited ? EDITED_DETACH_TIMEOUT : DETACH_TIMEOUT;
    const timer = setTimeout(() => this.#socket.destroy(), limit);
    await this.closed;
    clearTimeout(timer);
  }
}

const decoder = new TextDecoder();
const NOTHING = new Uint8Array();

function firstLine(text: string): string {
  return text.split("\n", 1)[0];
}
