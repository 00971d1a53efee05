/** An inspector in memory: it pauses, resumes and collects as V8 does, unless a test says otherwise. */
import type { CdpTransport } from "../../src/targets/cdp/transport.ts";
import { deferred } from "./fake_link.ts";

interface Command {
  readonly id: number;
  readonly method: string;
  readonly params?: Record<string, unknown>;
}

/** The answer to a command: an object, an error's message, or nothing at all. */
type Answer = object | string | undefined;

export class FakeInspector implements CdpTransport {
  readonly closed: Promise<string>;
  /** The commands that came, in order: `Debugger.pause`, `Debugger.setSkipAllPauses true`, ... */
  readonly calls: string[] = [];
  /** Answers to commands in place of its own. */
  readonly answers = new Map<string, () => Answer>();
  /** Whether something runs all the time, so that microtasks do not. */
  isBusy = false;
  isPaused = false;
  isClosed = false;
  /** Grows while it is not paused: a collection returns it. */
  ran = 0;
  #isSkipping = false;
  #sprung: number[] = [];
  #receive: (message: Buffer) => void = () => {};
  readonly #close: (reason: string) => void;

  constructor() {
    const { promise, resolve } = deferred<string>();
    this.closed = promise;
    this.#close = resolve;
  }

  listen(receive: (message: Buffer) => void): void {
    this.#receive = receive;
  }

  send(text: string): void {
    const command = JSON.parse(text) as Command;
    const { skip } = command.params ?? {};
    this.calls.push(skip === undefined ? command.method : `${command.method} ${skip}`);
    queueMicrotask(() => this.#carryOut(command));
  }

  close(reason: string): void {
    this.isClosed = true;
    this.#close(reason);
  }

  /** Commands since the last call, without those of the domains' beginnings. */
  take(): string[] {
    return this.calls.splice(0);
  }

  /** Sends a message, such as an event. */
  say(message: object | string): void {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    if (!this.isClosed) this.#receive(Buffer.from(text));
  }

  /** The user's program reaches a `debugger` statement. */
  pause(reason = "other"): void {
    if (this.#isSkipping || this.isPaused) return;
    this.isPaused = true;
    this.say({ method: "Debugger.paused", params: { callFrames: [], reason } });
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.say({ method: "Debugger.resumed", params: {} });
    for (const id of this.#sprung.splice(0)) this.say({ id, result: {} });
  }

  #carryOut({ id, method, params }: Command): void {
    const answer = this.answers.has(method)
      ? this.answers.get(method)!()
      : this.#own(method, { id, params });
    if (typeof answer === "string") this.say({ id, error: { code: -32000, message: answer } });
    else if (answer) this.say({ id, result: answer });
    if (method === "Debugger.resume") this.resume();
    if (method === "Debugger.pause") this.pause();
  }

  #own(method: string, { id, params }: { id: number; params: Command["params"] }): Answer {
    switch (method) {
      case "Debugger.setSkipAllPauses":
        this.#isSkipping = params!["skip"] === true;
        return {};
      case "Runtime.evaluate":
        return { result: { type: "object", objectId: "7" } };
      case "Runtime.awaitPromise":
        if (!this.isBusy && !this.#isSkipping) this.pause();
        if (!this.isBusy && !this.isPaused) return {};
        this.#sprung.push(id);
        return undefined;
      case "Profiler.takePreciseCoverage": {
        const scriptId = String(this.isPaused ? this.ran : ++this.ran);
        return { result: [{ scriptId, url: "file:///a.js", functions: [] }], timestamp: 1 };
      }
      default:
        return {};
    }
  }
}
