/**
 * Changes scripts that are loaded, by an inspector session of the isolate with itself. The agent's worker asks by
 * message, so each step is a turn of the event loop of its own: no JavaScript of the program is on the stack, and
 * none runs between a session's messages.
 */
import type { Worker } from "node:worker_threads";

const v8 = require("node:v8") as typeof import("node:v8");
const { fileURLToPath } = require("node:url") as typeof import("node:url");
const { connect } = require("./own_inspector.cjs") as import("./own_inspector.cts").Parts;
const { mendFunctionTexts } = require(
  "./function_texts.cjs",
) as import("./function_texts.cts").Parts;
const { hashOf, WrittenTexts } = require(
  "./written_texts.cjs",
) as import("./written_texts.cts").Parts;

type Texts = InstanceType<import("./written_texts.cts").Parts["WrittenTexts"]>;
type Text = import("./written_texts.cts").WrittenText;

/** V8's answer to a message, and the scripts that it has announced before. */
interface Reply {
  readonly told: readonly Parsed[];
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A `Debugger.scriptParsed`. */
interface Parsed {
  readonly scriptId: string;
  readonly url: string;
  readonly length: number;
  readonly isModule?: boolean;
}

/** Sends a message. In Node no JavaScript of the program runs before the answer. */
type Send = (method: string, params: object) => Promise<Reply>;

/** A script that is loaded: see `messages/live.ts`. */
interface LoadedScript {
  readonly id: string;
  readonly url: string;
  readonly length: number;
  readonly isModule: boolean;
}

/** A question of the worker's; see `messages/live.ts`. */
type Question =
  | { readonly what: "open" | "close" }
  | { readonly what: "source"; readonly id: string }
  | ({ readonly what: "edit" } & Edit);

/** A text that a script is to have. */
interface Edit {
  readonly id: string;
  readonly url: string;
  readonly text: string;
  /** Offsets into the script as it was, each followed by how many characters come there. */
  readonly insertions: readonly number[];
  readonly firstPc: number;
  readonly blocks: number;
}

/** The parts that outlive an agent. */
export interface LiveParts {
  /** The ids of scripts that are there for edits alone. */
  readonly leftovers: Set<string>;
  /** The original texts of scripts; undefined before the first script has probes. */
  texts: Texts | undefined;
}

const FLAG = "inspector-live-edit";
/** How the text of a `Debugger.scriptParsed` begins, as V8 writes it. */
const PARSED = '{"method":"Debugger.scriptParsed"';
/** Of scripts that are no program's. */
const OTHERS = /^(?:node|ext|internal|evalmachine)\b|^$/;

// User code may replace these.
const { parse, stringify } = JSON;
const now = performance.now.bind(performance);

/** Opens a session of this isolate with itself. */
function openSession(): { send: Send; disconnect: () => void } {
  return "Deno" in globalThis ? openDenoSession() : openNodeSession();
}

function openNodeSession(): { send: Send; disconnect: () => void } {
  const session = connect();
  let id = 0;
  // Never waits: what follows an `await` of it is a microtask.
  const send: Send = (method, params) => {
    id++;
    const messages = session.dispatch(stringify({ id, method, params }));
    const told = messages.filter((message) => message.startsWith(PARSED))
      .map((message) => parse(message).params as Parsed);
    const answer = messages.find((message) => message.startsWith(`{"id":${id},`));
    return Promise.resolve({ told, ...answer !== undefined && parse(answer) });
  };
  return { send, disconnect: () => session.disconnect() };
}

/** A Deno's session answers by the event loop. */
function openDenoSession(): { send: Send; disconnect: () => void } {
  const { Session } = require("node:inspector") as typeof import("node:inspector");
  const session = new Session();
  session.connect();
  let told: Parsed[] = [];
  session.on("Debugger.scriptParsed", ({ params }) => told.push(params as unknown as Parsed));
  const post = session.post.bind(session) as (...rest: unknown[]) => void;
  const send: Send = (method, params) =>
    new Promise((resolve) => {
      post(method, params, (error: Error | null, result: Reply["result"]) => {
        const before = told;
        told = [];
        resolve(error ? { told: before, error } : { told: before, result: result ?? {} });
      });
    });
  return { send, disconnect: () => session.disconnect() };
}

class LiveEdits {
  readonly #live: LiveParts;
  #session: { send: Send; disconnect: () => void } | undefined;
  #isFlagSet = false;
  /** By the ids of scripts: what is known of their texts. */
  readonly #written = new Map<string, { names: readonly string[]; text: Text }>();

  constructor(live: LiveParts) {
    this.#live = live;
  }

  async answer(question: Question): Promise<unknown> {
    switch (question.what) {
      case "open":
        return await this.#open();
      case "close":
        return await this.close();
      case "source": {
        const { result } = await this.#send("Debugger.getScriptSource", { scriptId: question.id });
        return result?.["scriptSource"];
      }
      case "edit":
        return await this.#edit(question);
    }
  }

  #send(method: string, params: object): Promise<Reply> {
    return this.#session!.send(method, params);
  }

  /** Lists what is loaded. Until {@linkcode close}, `await` and `eval` take longer. */
  async #open(): Promise<LoadedScript[]> {
    await this.close();
    this.#session = openSession();
    const enabled = this.#send("Debugger.enable", {});
    // A `debugger` statement is to do what it did.
    const skipped = this.#send("Debugger.setSkipAllPauses", { skip: true });
    const told = [...(await enabled).told, ...(await skipped).told];
    return told
      .filter(({ scriptId, url }) => !this.#live.leftovers.has(scriptId) && !OTHERS.test(url))
      .map(({ scriptId, url, length, isModule = false }) => ({
        id: scriptId,
        url,
        length,
        isModule,
      }));
  }

  async #edit(edit: Edit): Promise<{ status: string; ms: number }> {
    const { id: scriptId, text: scriptSource } = edit;
    const first = await this.#nextScript();
    const began = now();
    let { result, error } = await this.#send("Debugger.setScriptSource", {
      scriptId,
      scriptSource,
    });
    // From V8 14 on, it is behind a flag, which earlier ones do not know.
    if (error?.message.includes("no longer available") && !this.#isFlagSet) {
      v8.setFlagsFromString(`--${FLAG}`);
      this.#isFlagSet = true;
      ({ result, error } = await this.#send("Debugger.setScriptSource", {
        scriptId,
        scriptSource,
      }));
    }
    const ms = now() - began;
    const status = error?.message ?? String(result?.["status"]);
    if (status === "Ok") this.#write(edit);
    await this.#noteLeftovers(first);
    return { status, ms };
  }

  /**
   * V8 keeps a text that it had as another script, until it collects garbage, and says nothing of it. Scripts are
   * numbered as they come about.
   *
   * @param first Of those that have come about since.
   */
  async #noteLeftovers(first: number): Promise<void> {
    const end = await this.#nextScript();
    for (let id = first + 1; id < end; id++) this.#live.leftovers.add(String(id));
  }

  /** The number that the next script has, which this is. */
  async #nextScript(): Promise<number> {
    const script = { expression: "0\n//# sourceURL=node:kcovfs", silent: true };
    const { told } = await this.#send("Runtime.evaluate", script);
    return Number(told.findLast(({ url }) => url === "node:kcovfs")?.scriptId);
  }

  /** Stack traces, and functions as texts, are to be as they were. */
  #write({ id, url, text: code, insertions, firstPc, blocks }: Edit): void {
    const texts = this.#live.texts!;
    const before = this.#written.get(id);
    this.#written.delete(id);
    if (insertions.length > 0) {
      const names = url.startsWith("file:") ? [fileURLToPath(url), url] : [url];
      const probed = { code, insertions, hash: hashOf(code), firstPc, blocks };
      this.#written.set(id, { names, text: texts.addChanged(probed, { names }) });
    }
    if (before) texts.drop(before);
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (!session) return;
    const disabled = session.send("Debugger.disable", {});
    if (this.#isFlagSet) v8.setFlagsFromString(`--no-${FLAG}`);
    this.#isFlagSet = false;
    await disabled;
    session.disconnect();
  }
}

/**
 * Answers the agent's worker.
 *
 * @param live What outlives this.
 * @returns a function that ends it.
 */
function serveLiveEdits(worker: Worker, live: LiveParts): () => void {
  if (!live.texts) {
    live.texts = new WrittenTexts();
    mendFunctionTexts(Function.prototype, live.texts);
  }
  const edits = new LiveEdits(live);
  const post = worker.postMessage.bind(worker);
  const listener = async ({ live, number }: { live?: Question; number?: number }) => {
    if (live === undefined) return;
    // Without its answer a script stays as it is.
    post({ lived: number, answer: await edits.answer(live).catch(() => {}) });
  };
  worker.on("message", listener);
  return () => {
    worker.off("message", listener);
    edits.close();
  };
}

const parts = { serveLiveEdits };
module.exports = parts;
export type Parts = typeof parts;
