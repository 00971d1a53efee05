/** A page of Chromium's in memory, in an isolate that it may share: it arms, pauses and counts as V8 does. */
import { HOOK_URL } from "../../../src/targets/chromium/document_hook.ts";
import type { CdpTransport } from "../../../src/targets/cdp/transport.ts";
import { deferred } from "../fake_link.ts";

interface Command {
  readonly id: number;
  readonly method: string;
  readonly params?: Record<string, unknown>;
}

/** The answer to a command: an object, an error's message, or nothing until {@linkcode FakePage.reply}. */
type Answer = object | string | undefined;

/** The id of each document's hook. */
const HOOK = "90";

export class FakeV8 {
  readonly id: string;
  /** The ids of the scripts that have run since the last collection. */
  #ran: string[] = [];

  constructor(id: string) {
    this.id = id;
  }

  run(...scriptIds: string[]): void {
    this.#ran.push(...scriptIds);
  }

  collect(): object {
    const ran = this.#ran.splice(0);
    const result = ran.map((scriptId) => ({
      scriptId,
      url: `http://a/${scriptId}`,
      functions: [],
    }));
    return { result, timestamp: 1 };
  }
}

export class FakePage implements CdpTransport {
  readonly closed: Promise<string>;
  /** Its isolate; another one after a navigation to another site. */
  v8: FakeV8;
  isPaused = false;
  /** Answers to commands in place of its own. */
  readonly answers = new Map<string, () => Answer>();
  /** Whether `Debugger.resumed` comes with the command, rather than by {@linkcode goOn}. */
  goesOnAtOnce = true;
  #isArmed = false;
  readonly #calls: string[] = [];
  readonly #unanswered: Command[] = [];
  /** Commands that are answered when the function that they have called returns. */
  #calling: number[] = [];
  #receive: (message: Buffer) => void = () => {};
  readonly #close: (reason: string) => void;

  constructor(v8: FakeV8 = new FakeV8("v8")) {
    this.v8 = v8;
    const { promise, resolve } = deferred<string>();
    this.closed = promise;
    this.#close = resolve;
  }

  listen(receive: (message: Buffer) => void): void {
    this.#receive = receive;
  }

  send(text: string): void {
    const command = JSON.parse(text) as Command;
    const { scriptId, accept } = command.params ?? {};
    const rest = scriptId ?? accept;
    this.#calls.push(rest === undefined ? command.method : `${command.method} ${rest}`);
    queueMicrotask(() => this.#carryOut(command));
  }

  close(reason: string): void {
    this.#close(reason);
  }

  /** The commands since the last call, in order. */
  take(): string[] {
    return this.#calls.splice(0);
  }

  say(method: string, params: object = {}): void {
    this.sayText(JSON.stringify({ method, params }));
  }

  sayText(text: string): void {
    this.#receive(Buffer.from(text));
  }

  /** A document begins, or goes on, with these scripts. */
  parse(...scriptIds: string[]): void {
    for (const scriptId of scriptIds) {
      this.say("Debugger.scriptParsed", { scriptId, url: `http://a/${scriptId}` });
    }
  }

  /** Pauses in the hook of its document, or somewhere else. */
  pause(why: "arriving" | "leaving" | "other"): void {
    this.isPaused = true;
    this.#isArmed = false;
    const [scriptId, functionName] = why === "other"
      ? ["1", ""]
      : [HOOK, why === "leaving" ? "kcovfsLeaving" : ""];
    if (why !== "other") this.say("Debugger.scriptParsed", { scriptId, url: HOOK_URL });
    const callFrames = [{ functionName, location: { scriptId } }];
    this.say("Debugger.paused", { reason: "other", callFrames });
  }

  /** Calls a function, which pauses if the page is armed. */
  call(): void {
    if (this.#isArmed) this.pause("other");
  }

  /** Goes on from its pause. */
  goOn(): void {
    this.isPaused = false;
    this.say("Debugger.resumed");
    for (const id of this.#calling.splice(0)) this.#answer(id, { result: { objectId: "7" } });
  }

  /** Answers the first command of that name that has no answer yet. */
  reply(method: string, answer: object): void {
    const i = this.#unanswered.findIndex((command) => command.method === method);
    const [{ id }] = this.#unanswered.splice(i, 1);
    this.#answer(id, answer);
  }

  #answer(id: number, answer: Answer): void {
    const message = typeof answer === "string"
      ? { id, error: { code: -32000, message: answer } }
      : { id, result: answer };
    this.#receive(Buffer.from(JSON.stringify(message)));
  }

  #carryOut(command: Command): void {
    const { id, method } = command;
    if (this.answers.has(method)) {
      const answer = this.answers.get(method)!();
      if (answer === undefined) this.#unanswered.push(command);
      else this.#answer(id, answer);
      return;
    }
    const isCall = method === "Runtime.evaluate" || method === "Runtime.awaitPromise";
    if (isCall) this.call();
    if (isCall && this.isPaused) return void this.#calling.push(id);
    if (method === "Debugger.pause") this.#isArmed = !this.isPaused;
    this.#answer(id, this.#own(command));
    if (method === "Debugger.resume" && this.goesOnAtOnce) this.goOn();
  }

  #own({ method, params }: Command): Answer {
    switch (method) {
      case "Runtime.getIsolateId":
        return { id: this.v8.id };
      case "Profiler.takePreciseCoverage":
        return this.v8.collect();
      case "Debugger.getScriptSource":
        return { scriptSource: `source of ${params!["scriptId"]}` };
      case "Runtime.evaluate":
        return { result: { objectId: "7" } };
      default:
        return {};
    }
  }
}
