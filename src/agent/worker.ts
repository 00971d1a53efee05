/**
 * The agent's worker thread: connects to the server, turns coverage on and carries out what the server
 * asks of the main thread. Being another isolate, it can collect from a main thread that is stuck in a
 * loop, and nothing that it loads makes collections dearer.
 */
import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { ABSENT, CONTROL, READY } from "./control.ts";
import { type CdpMessage, MainThread } from "./main_thread.ts";
import {
  FAREWELL_BATCH,
  FRAME,
  FrameReader,
  type Hello,
  isTaking,
  packFrame,
  packNumber,
  PROTOCOL_VERSION,
  TAKE_METHOD,
  unpackNumber,
  type Welcome,
} from "./protocol.ts";
import { pickScripts } from "./script_slices.ts";

interface WorkerData {
  readonly socketPath: string;
  readonly control: SharedArrayBuffer;
  readonly name: string;
  /** Globs as the environment has them: JSON, if anything. */
  readonly include: string | undefined;
  readonly exclude: string | undefined;
}

const MOST_BYTES = 64 * 1024 * 1024;
/** The CDP id of the last collection: neither the server's nor `MainThread`'s own. */
const FAREWELL_ID = 999_999_999;
/** Bytes of a collection that waits for the frame after it. */
const MOST_CORKED = 16 * 1024;
const decoder = new TextDecoder();

class Agent {
  readonly #control: Int32Array;
  readonly #socket: Socket;
  readonly #ignored = new Set<string>();
  #thread: MainThread | undefined;
  /** The batch whose `taken` is awaited, and the CDP id of its collection. */
  #taking: { batch: number; id: number } | undefined;
  /** Whether the target's last coverage matters. */
  #isArmed = false;
  /** Batches and releases follow each other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(control: Int32Array, socket: Socket) {
    this.#control = control;
    this.#socket = socket;
  }

  receive(type: number, body: Uint8Array): void {
    switch (type) {
      case FRAME.welcome:
        return this.#start(JSON.parse(decoder.decode(body)));
      case FRAME.batch: {
        const batch = unpackNumber(body);
        const hold = body[4] !== 0;
        const run = unpackNumber(body, 5);
        const pairs = JSON.parse(decoder.decode(body.subarray(9))) as [number, string][];
        const messages = pairs.map(([id, text]) => ({ id, text }));
        this.#turn = this.#turn.then(() => this.#batch(messages, { batch, hold, run }));
        return;
      }
      case FRAME.release: {
        const serial = unpackNumber(body);
        // A batch before it may be under way, and hold at another gate.
        this.#turn = this.#turn.then(() => this.#thread?.release({ serial }));
        return;
      }
      case FRAME.ignore:
        for (const id of JSON.parse(decoder.decode(body))) this.#ignored.add(id);
        return;
      case FRAME.armed:
        this.#isArmed = body[0] !== 0;
        return;
      case FRAME.goodbye:
        this.#finishFarewell();
        return;
    }
  }

  #start(welcome: Welcome): void {
    // The target has given up waiting.
    if (Atomics.load(this.#control, CONTROL.state) !== 0) return this.end();
    this.#isArmed = welcome.isArmed;
    const thread = new MainThread(this.#control, {
      ...welcome,
      receive: (id, message) => this.#pass(id, message),
      expired: () => this.#send(FRAME.expired),
    });
    this.#thread = thread;
    thread.send("Profiler.enable");
    thread.send("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
      .then(() => {
        if (!this.settle(READY)) this.end();
      });
  }

  /**
   * Says how the start went; the main thread waits for it.
   *
   * @returns whether it still did.
   */
  settle(state: number): boolean {
    const before = Atomics.compareExchange(this.#control, CONTROL.state, 0, state);
    Atomics.notify(this.#control, CONTROL.state);
    return before === 0;
  }

  async #batch(
    messages: readonly CdpMessage[],
    options: { batch: number; hold: boolean; run: number },
  ): Promise<void> {
    // It has taken leave.
    if (!this.#thread) return;
    const last = messages.at(-1);
    if (last && isTaking(last.text)) this.#taking = { batch: options.batch, id: last.id };
    const { isWhole, gate } = await this.#thread.batch(messages, options);
    const batch = packNumber(options.batch);
    if (isWhole) this.#send(FRAME.held, batch, packNumber(gate));
    else this.#send(FRAME.unheld, batch);
    this.#socket.uncork();
  }

  #pass(id: number | undefined, message: string): void {
    if (id === undefined || id !== this.#taking?.id) {
      return this.#send(FRAME.message, Buffer.from(message));
    }
    const { batch } = this.#taking;
    this.#taking = undefined;
    const picked = pickScripts(
      Buffer.from(message),
      (scriptId, isRuntime) => !isRuntime && !this.#ignored.has(scriptId),
    );
    const coverage = picked ?? Buffer.from("[]");
    // The main thread is at its gate in a moment: one write for both, where there is not much to send.
    if (batch !== FAREWELL_BATCH && coverage.length <= MOST_CORKED) this.#socket.cork();
    this.#send(FRAME.taken, packNumber(batch), coverage);
  }

  #send(type: number, ...parts: Uint8Array[]): void {
    this.#socket.write(packFrame(type, ...parts));
  }

  /** The target exits: hands over what it did since the last collection. */
  farewell(): void {
    const thread = this.#thread;
    this.#send(FRAME.farewell);
    if (!thread || !this.#isArmed) {
      this.#finishFarewell();
      return;
    }
    const id = FAREWELL_ID;
    const text = JSON.stringify({ id, method: TAKE_METHOD });
    this.#turn = this.#turn.then(() => {
      this.#taking = { batch: FAREWELL_BATCH, id };
      return thread.batch([{ id, text }], { hold: false, run: 0 });
    });
  }

  /** Once nothing of the agent's is left on the main thread, it may exit. */
  async #finishFarewell(): Promise<void> {
    await this.#turn;
    this.#leave();
  }

  #leave(): void {
    this.#thread?.disconnect();
    this.#thread = undefined;
    Atomics.store(this.#control, CONTROL.farewell, 1);
    Atomics.notify(this.#control, CONTROL.farewell);
  }

  /** The server is gone: the target goes on alone. */
  end(): void {
    this.settle(ABSENT);
    this.#leave();
    process.exit();
  }
}

/** What is no JSON is left out: the target must not fail to start for it. */
function globs(key: "include" | "exclude", text: string | undefined): Pick<Hello, typeof key> {
  try {
    return text ? { [key]: JSON.parse(text) } : {};
  } catch {
    return {};
  }
}

/** Only the worker that `preload.cts` starts has this data; importing the file elsewhere does nothing. */
function run(data: WorkerData): void {
  const socket = connect(data.socketPath);
  const agent = new Agent(new Int32Array(data.control), socket);
  const frames = new FrameReader((type, body) => agent.receive(type, body), MOST_BYTES);
  const hello: Hello = {
    protocol: PROTOCOL_VERSION,
    name: data.name,
    pid: process.pid,
    runtime: `node ${process.version}`,
    ...globs("include", data.include),
    ...globs("exclude", data.exclude),
  };
  socket.on(
    "connect",
    () => socket.write(packFrame(FRAME.hello, Buffer.from(JSON.stringify(hello)))),
  );
  socket.on("data", (chunk) => frames.push(chunk));
  socket.on("error", () => {});
  socket.on("close", () => agent.end());
  parentPort!.on("message", (message) => {
    if (message === "farewell") agent.farewell();
  });
}

if (parentPort && workerData?.socketPath) run(workerData);
