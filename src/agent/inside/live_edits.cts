/**
 * Changes scripts that are loaded, by an inspector session of the isolate with itself. The agent's worker asks by
 * message, so each step is a turn of the event loop of its own: no JavaScript of the program is on the stack, and
 * none runs between a session's messages.
 */
import type { Worker } from "node:worker_threads";

const v8 = require("node:v8") as typeof import("node:v8");
const nodeModule = require("node:module") as NodeModuleApi;
const { fileURLToPath } = require("node:url") as typeof import("node:url");
const { connect } = require("./own_inspector.cjs") as { connect: () => Session };

/** What `node:module` has that types do not know. */
interface NodeModuleApi {
  new (id: string): object;
  readonly prototype: { _compile(content: string, filename: string, format?: string): unknown };
}

interface Session {
  dispatch(message: string): string[];
  disconnect(): void;
}

/** A script that is loaded: see `messages/live.ts`. */
interface LoadedScript {
  readonly id: string;
  readonly url: string;
  readonly length: number;
  readonly isModule: boolean;
}

/** What the worker asks for; see `messages/live.ts`. */
type Question =
  | { readonly what: "open" | "close" }
  | { readonly what: "source"; readonly id: string }
  | { readonly what: "edit"; readonly id: string; readonly text: string }
  | { readonly what: "map"; readonly url: string; readonly comment: string };

const FLAG = "inspector-live-edit";
/** How the text of a `Debugger.scriptParsed` begins, as V8 writes it. */
const PARSED = '{"method":"Debugger.scriptParsed"';
/** Of the scripts by which Node is told of maps. */
const MAP = "//# sourceMappingURL=";

// User code may replace these.
const { parse, stringify } = JSON;
const { apply } = Reflect;
/** Before it puts probes in. */
const compile = nodeModule.prototype._compile;
const now = performance.now.bind(performance);

class LiveEdits {
  readonly #leftovers: Set<string>;
  #session: Session | undefined;
  #nextId = 1;
  #isFlagSet = false;
  /** By URL: Node keeps a map for as long as there is the module that has come with it. */
  readonly #maps = new Map<string, object>();

  constructor(leftovers: Set<string>) {
    this.#leftovers = leftovers;
  }

  answer(question: Question): unknown {
    switch (question.what) {
      case "open":
        return this.#open();
      case "close":
        return this.close();
      case "source":
        return this.#send("Debugger.getScriptSource", { scriptId: question.id }).result
          ?.["scriptSource"];
      case "edit":
        return this.#edit(question.id, question.text);
      case "map":
        return this.#setMap(question.url, question.comment);
    }
  }

  /** Lists what is loaded. Until {@linkcode close}, `await` and `eval` take longer. */
  #open(): LoadedScript[] {
    this.close();
    this.#session = connect();
    // A `debugger` statement is to do what it did.
    const messages = this.#post("Debugger.setSkipAllPauses", { skip: true });
    messages.push(
      ...this.#post("Debugger.enable", {}),
      ...this.#post("Debugger.setSkipAllPauses", { skip: true }),
    );
    const loaded: LoadedScript[] = [];
    for (const message of messages) {
      if (!message.startsWith(PARSED)) continue;
      const { scriptId, url, length, isModule = false } = parse(message).params;
      if (this.#leftovers.has(scriptId)) continue;
      if (/^(?:node|ext|internal|evalmachine)\b|^$/.test(url)) continue;
      loaded.push({ id: scriptId, url, length, isModule });
    }
    return loaded;
  }

  #post(method: string, params: object): string[] {
    return this.#session!.dispatch(stringify({ id: this.#nextId++, method, params }));
  }

  #send(
    method: string,
    params: object,
  ): { result?: Record<string, unknown>; error?: { message: string } } {
    const id = this.#nextId;
    const reply = this.#post(method, params).find((message) => message.startsWith(`{"id":${id},`));
    return reply === undefined ? { error: { message: "no answer" } } : parse(reply);
  }

  #edit(scriptId: string, scriptSource: string): { status: string; ms: number } {
    const leave = this.#watchLeftovers();
    const began = now();
    let { result, error } = this.#send("Debugger.setScriptSource", { scriptId, scriptSource });
    // From V8 14 on, it is behind a flag, which earlier ones do not know.
    if (error && !this.#isFlagSet && error.message.includes("no longer available")) {
      v8.setFlagsFromString(`--${FLAG}`);
      this.#isFlagSet = true;
      ({ result, error } = this.#send("Debugger.setScriptSource", { scriptId, scriptSource }));
    }
    const ms = now() - began;
    leave();
    return { status: error?.message ?? String(result?.["status"]), ms };
  }

  /**
   * V8 keeps a text that it had as another script, until it collects garbage, and says nothing of it. Scripts are
   * numbered as they come about.
   *
   * @returns a function that notes those that have come about since.
   */
  #watchLeftovers(): () => void {
    const before = this.#nextScript();
    return () => {
      const after = this.#nextScript();
      for (let id = before + 1; id < after; id++) this.#leftovers.add(String(id));
    };
  }

  /** The number that the next script has, which this is. */
  #nextScript(): number {
    const script = { expression: "0", sourceURL: "node:kcovfs", persistScript: false };
    const parsed = this.#post("Runtime.compileScript", script)
      .findLast((message) => message.startsWith(PARSED));
    return parsed === undefined ? NaN : Number(parse(parsed).params.scriptId);
  }

  /** Has Node find the positions of a script's source by a map, in a comment, as if it had been loaded with it. */
  #setMap(url: string, comment: string): void {
    if (!this.#session || !url.startsWith("file:") || !comment.startsWith(MAP)) return;
    const file = fileURLToPath(url);
    const module = new nodeModule(file);
    const leave = this.#watchLeftovers();
    apply(compile, module, [comment, file, "commonjs"]);
    leave();
    this.#maps.set(url, module);
  }

  close(): void {
    if (!this.#session) return;
    this.#post("Debugger.disable", {});
    this.#session.disconnect();
    this.#session = undefined;
    if (this.#isFlagSet) v8.setFlagsFromString(`--no-${FLAG}`);
    this.#isFlagSet = false;
  }
}

/**
 * Answers the agent's worker.
 *
 * @param leftovers The ids of scripts that are there for edits alone; it outlives this.
 * @returns a function that ends it.
 */
function serveLiveEdits(worker: Worker, leftovers: Set<string>): () => void {
  const edits = new LiveEdits(leftovers);
  const post = worker.postMessage.bind(worker);
  const listener = ({ live, number }: { live?: Question; number?: number }) => {
    if (live === undefined) return;
    let answer: unknown;
    try {
      answer = edits.answer(live);
    } catch {
      // Without its answer a script stays as it is.
    }
    post({ lived: number, answer });
  };
  worker.on("message", listener);
  return () => {
    worker.off("message", listener);
    edits.close();
  };
}

module.exports = { serveLiveEdits };
