import { accessSync, constants } from "node:fs";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import { Deferred } from "../../base/deferred.ts";
import { Awaited } from "../../messages/awaited.ts";
import { ABSENT, CONTROL, READY, writeText } from "../../messages/shared_words.ts";
import type { CdpMessage, Isolate, IsolateOptions } from "../../messages/isolate.ts";
import {
  FAREWELL_BATCH,
  FRAME,
  FrameReader,
  type Hello,
  isTaking,
  type NewSource,
  packFrame,
  packNumber,
  type ProbedSource,
  TAKE_METHOD,
  type TracedArea,
  unpackNumber,
  type Welcome,
} from "../../messages/protocol.ts";
import { pickScripts } from "../../messages/script_slices.ts";
import { parse, SHAPES } from "./server_messages.ts";

export interface AgentOptions {
  /** Connecting; it is the agent's from here on. */
  readonly socket: Socket;
  readonly hello: Hello;
  /** Attaches to the isolate, once the server has welcomed it. */
  readonly start: (welcome: Welcome, options: IsolateOptions) => Promise<Isolate>;
  /** Makes the isolate's probes write into areas, if it has probes. */
  readonly trace?: (areas: readonly TracedArea[]) => Promise<void>;
  /** The URLs of all its scripts, if they can be listed. */
  readonly list?: () => Promise<string[]>;
  /** The server lets the target go: `Agent.detach` is to be called. */
  readonly detach?: () => void;
  /** Called once, when the connection has ended and the isolate is left alone; `reason` is the system's. */
  readonly ended: (reason: string) => void;
}

const MOST_BYTES = 64 * 1024 * 1024;
/** The CDP id of the last collection: neither the server's nor `MainThread`'s own. */
const FAREWELL_ID = 999_999_999;
/** Bytes; a collection of at most this size is sent together with the next frame. */
const MOST_CORKED = 16 * 1024;

/** One of the target's isolates as the server knows it: carries out the server's orders. */
export class Agent {
  readonly #control: Int32Array;
  readonly #options: AgentOptions;
  readonly #ignored = new Set<string>();
  #isolate: Isolate | undefined;
  /** The target's number, once it is welcome. */
  #id: number | undefined;
  /** The batch whose `taken` is awaited, and the CDP id of its collection. */
  #taking: { batch: number; id: number } | undefined;
  /** Batches and releases follow each other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Scripts that wait for their probes, by number. */
  readonly #sources = new Awaited<ProbedSource>();
  #isLeaving = false;
  #isDetaching = false;
  /** Settled when the agent has attached to the isolate, or has failed to. */
  #starting: Promise<unknown> = Promise.resolve();
  /** Resolves when the isolate may end. */
  readonly #left = new Deferred<void>();

  /** @param control The shared words. */
  constructor(control: Int32Array, options: AgentOptions) {
    this.#control = control;
    this.#options = options;
    const { socket, hello } = options;
    const frames = new FrameReader((type, body) => this.#receive(type, body), MOST_BYTES);
    socket.on("connect", () => this.#send(FRAME.hello, Buffer.from(JSON.stringify(hello))));
    socket.on("data", (chunk) => {
      try {
        frames.push(chunk);
      } catch (error) {
        // Nonsense cannot be lived with: the target goes on as without a server.
        socket.destroy(new Error(`it sends nonsense: ${(error as Error).message}`));
      }
    });
    let failure: NodeJS.ErrnoException | undefined;
    socket.on("error", (error) => failure = error);
    socket.on("close", async () => {
      this.#refuse(whyNotReached(failure));
      this.#sources.answerAll({});
      await this.#starting;
      await this.#restore();
      options.ended(failure?.message ?? "");
    });
  }

  get id(): number | undefined {
    return this.#id;
  }

  /** @throws when a frame makes no sense. */
  #receive(type: number, body: Uint8Array): void {
    switch (type) {
      case FRAME.welcome:
        this.#starting = this.#start(parse(body, SHAPES.welcome));
        this.#turn = this.#starting;
        return;
      case FRAME.batch: {
        const batch = unpackNumber(body);
        const hold = body[4] !== 0;
        const run = unpackNumber(body, 5);
        const messages = parse(body.subarray(9), SHAPES.messages).map(([id, text]) => ({
          id,
          text,
        }));
        this.#turn = this.#turn.then(() => this.#batch(messages, { batch, hold, run }));
        return;
      }
      case FRAME.release: {
        const serial = unpackNumber(body);
        // An earlier batch may be under way, and hold at another gate.
        this.#turn = this.#turn.then(() => this.#isolate?.release({ serial }));
        return;
      }
      case FRAME.ignore:
        for (const id of parse(body, SHAPES.scriptIds)) this.#ignored.add(id);
        return;
      case FRAME.areas:
        this.#trace(unpackNumber(body), parse(body.subarray(4), SHAPES.areas));
        return;
      case FRAME.probed:
        this.#sources.answer(unpackNumber(body), parse(body.subarray(4), SHAPES.probed));
        return;
      case FRAME.list:
        return void this.#list(unpackNumber(body));
      case FRAME.goodbye:
        // The isolate may end once nothing of the agent's is left in it.
        this.#turn.then(() => this.#leaveOrRestore());
        return;
      case FRAME.detach:
        this.#options.detach?.();
        return;
    }
  }

  async #start(welcome: Welcome): Promise<void> {
    // The target has given up waiting.
    if (Atomics.load(this.#control, CONTROL.state) !== 0) return this.end();
    this.#id = welcome.id;
    writeText(this.#control, welcome.name);
    try {
      const failure = await this.#trace(0, welcome.areas);
      // If the folders cannot be seen now, they never can.
      if (failure && !canOpen(welcome.areas)) throw failure;
      this.#isolate = await this.#options.start(welcome, {
        ...welcome,
        receive: (id, message) => this.#pass(id, message),
        expired: () => this.#send(FRAME.expired),
      });
    } catch (error) {
      this.#refuse(`Cannot start the agent: ${(error as Error).message}`);
      return this.end();
    }
    if (!this.#settle(READY)) this.end();
  }

  /** Reports to the server when it is done, or why it failed, which it also returns. Never rejects. */
  async #trace(
    number: number,
    areas: readonly TracedArea[],
  ): Promise<NodeJS.ErrnoException | undefined> {
    let failure: NodeJS.ErrnoException | undefined;
    try {
      await this.#options.trace?.(areas);
    } catch (error) {
      failure = error as NodeJS.ErrnoException;
    }
    this.#send(FRAME.traced, packNumber(number), Buffer.from(failure?.message ?? ""));
    return failure;
  }

  /** Has probes put into a script; without a server the script gets none. */
  probe(source: NewSource): Promise<ProbedSource> {
    if (this.#options.socket.destroyed) return Promise.resolve({});
    const text = Buffer.from(JSON.stringify(source));
    return this.#sources.ask((number) => this.#send(FRAME.source, packNumber(number), text));
  }

  async #list(number: number): Promise<void> {
    const urls = await this.#options.list?.().catch(() => []) ?? [];
    this.#send(FRAME.scripts, packNumber(number), Buffer.from(JSON.stringify(urls)));
  }

  /**
   * Says how the start went; the isolate waits for that.
   *
   * @returns whether the isolate was still waiting.
   */
  #settle(state: number): boolean {
    const before = Atomics.compareExchange(this.#control, CONTROL.state, 0, state);
    Atomics.notify(this.#control, CONTROL.state);
    return before === 0;
  }

  /** The isolate runs without coverage, unless it has already been told that it has coverage. */
  #refuse(reason: string): void {
    // The isolate reads the text only after it is settled, and then no other text comes.
    if (Atomics.load(this.#control, CONTROL.state) === 0) writeText(this.#control, reason);
    this.#settle(ABSENT);
  }

  async #batch(
    messages: readonly CdpMessage[],
    options: { batch: number; hold: boolean; run: number },
  ): Promise<void> {
    // The isolate has taken leave.
    if (!this.#isolate) return;
    const last = messages.at(-1);
    if (last && isTaking(last.text)) this.#taking = { batch: options.batch, id: last.id };
    const { isWhole, gate } = await this.#isolate.batch(messages, options);
    const batch = packNumber(options.batch);
    if (isWhole) this.#send(FRAME.held, batch, packNumber(gate));
    else this.#send(FRAME.unheld, batch);
    this.#options.socket.uncork();
  }

  #pass(id: number | undefined, message: string): void {
    if (id === undefined || id !== this.#taking?.id) {
      return this.#send(FRAME.message, Buffer.from(message));
    }
    this.#sendTaken(this.#taking.batch, message, this.#isolate?.interruptedAt);
    this.#taking = undefined;
  }

  /** @param place The place where the collection has interrupted JavaScript; it is sent first. */
  #sendTaken(batch: number, message: string, place = ""): void {
    const picked = pickScripts(
      Buffer.from(message),
      (scriptId, isRuntime) => !isRuntime && !this.#ignored.has(scriptId),
      { first: place },
    );
    const coverage = picked ?? Buffer.from("[]");
    // The thread is at its gate in a moment: if there is little to send, one write takes both frames.
    const isCorked = batch !== FAREWELL_BATCH && coverage.length <= MOST_CORKED;
    if (isCorked) this.#options.socket.cork();
    this.#send(FRAME.taken, packNumber(batch), coverage);
  }

  #send(type: number, ...parts: Uint8Array[]): void {
    this.#options.socket.write(packFrame(type, ...parts));
  }

  /**
   * The isolate ends: hands over what it executed since the last collection. Resolves when it may end.
   *
   * @param options `isHeld`: the isolate stands still from then on.
   */
  farewell(options: { isHeld: boolean }): Promise<void> {
    if (this.#isLeaving) return this.#left.promise;
    this.#isLeaving = true;
    this.#send(FRAME.farewell);
    const hasCounts = this.#options.hello.collector !== "trace";
    if (!this.#isolate || !hasCounts) {
      this.#turn.then(() => this.#leaveOrRestore());
      return this.#left.promise;
    }
    const id = FAREWELL_ID;
    const text = JSON.stringify({ id, method: TAKE_METHOD });
    this.#turn = this.#turn.then(async () => {
      this.#taking = { batch: FAREWELL_BATCH, id };
      await this.#isolate?.batch([{ id, text }], { hold: options.isHeld, run: 0 });
    });
    return this.#left.promise;
  }

  /** The isolate ends, and has made its last collection itself. */
  takeFarewell(message: string): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#send(FRAME.farewell);
    if (message !== "") this.#sendTaken(FAREWELL_BATCH, message);
  }

  /** Hands over what the isolate executed since the last collection, and leaves it as it was before. */
  async detach(): Promise<void> {
    this.#isDetaching = true;
    await this.farewell({ isHeld: false });
    this.#options.socket.end();
  }

  #leaveOrRestore(): void {
    if (this.#isDetaching) this.#restore();
    else this.leave();
  }

  /** Leaves the isolate as it was before, unless that is done already. */
  async #restore(): Promise<void> {
    const isolate = this.#isolate;
    this.#isolate = undefined;
    // Once the server knows that this isolate is gone, others may write into the areas as if they were alone.
    await this.#options.trace?.([]);
    await isolate?.restore?.();
    isolate?.disconnect();
    this.leave();
  }

  /** Leaves the isolate alone; it may end. */
  leave(): void {
    this.#isolate?.disconnect();
    this.#isolate = undefined;
    Atomics.store(this.#control, CONTROL.farewell, 1);
    Atomics.notify(this.#control, CONTROL.farewell);
    this.#left.resolve();
  }

  /** Ends the connection; the isolate is left as it was before. */
  abandon(error?: Error): void {
    this.#options.socket.destroy(error);
  }

  /** The isolate is gone, or goes on alone. */
  end(): void {
    this.#settle(ABSENT);
    this.leave();
    this.#options.socket.destroySoon();
  }
}

/** Whether this process sees the folders of the areas: a container may not. */
function canOpen(areas: readonly TracedArea[]): boolean {
  try {
    for (const { path } of areas) accessSync(dirname(path), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Empty if no server listens, or if it has nothing to say: the isolate then has a text of its own. */
function whyNotReached(failure: NodeJS.ErrnoException | undefined): string {
  const isAbsent = !failure || failure.code === "ENOENT" || failure.code === "ECONNREFUSED";
  return isAbsent ? "" : `Cannot reach the server: ${failure.message}`;
}
