import { inTime } from "../../base/in_time.ts";
import type { CdpSession } from "../cdp/session.ts";
import type { Link, Taken } from "../link.ts";
import { evaluateHits } from "./evaluate_hits.ts";
import { HOOK_URL, type Pause } from "./document_hook.ts";
import type { Isolate, Member } from "./isolate.ts";
import type { Isolates } from "./isolates.ts";
import { KeptSources } from "./kept_sources.ts";
import { Pauser } from "./pauser.ts";

export interface ChromiumLinkOptions {
  readonly session: CdpSession;
  /** The id of the target; its main frame has the same. */
  readonly targetId: string;
  readonly isolates: Isolates;
  /** Called at the start of each document; the document waits until the promise is settled. */
  readonly onArrival: (url: string) => Promise<unknown>;
  /** Ends the session. */
  readonly detach: () => Promise<void>;
}

/** ms; the longest delay of the start or the end of a document, if Chromium does not answer. */
const MOST_DELAY = 1000;

/** A page, an out-of-process frame or a worker of Chromium's, through all documents that it shows. */
export class ChromiumLink implements Link, Member {
  readonly kind = "inspector";
  readonly hold = "pause";
  readonly closed: Promise<string>;
  readonly session: CdpSession;
  readonly pauser: Pauser;
  readonly #options: ChromiumLinkOptions;
  #isolate: Isolate;
  readonly #sources: KeptSources;
  /** Scripts of the documents since the last navigation, by V8's ids. */
  readonly #scripts = new Set<string>();
  readonly #ignored = new Set<string>();
  /** Scripts whose sources were asked for. */
  readonly #served = new Set<string>();
  /** Collected for it, but not yet asked for: JSON arrays. */
  #kept: Buffer[] = [];
  #readsProbes = false;
  #hits: (readonly number[])[] = [];
  #url = "";
  #isNavigating = false;
  #isCrashed = false;
  #isStopping = false;

  constructor(options: ChromiumLinkOptions) {
    const { session, isolates } = options;
    this.#options = options;
    this.session = session;
    this.pauser = new Pauser(session, {
      onStill: () => this.#isolate.yieldTo(this),
      onPause: (pause) => this.#pass(pause),
    });
    this.#sources = new KeptSources(session);
    this.#isolate = isolates.unknown();
    this.#isolate.join(this);
    this.closed = session.closed;
    session.closed.then(() => this.#isolate.leave(this));
    this.#listen();
  }

  #listen(): void {
    const { session } = this;
    session.on("Debugger.scriptParsed", ({ scriptId, url }) => {
      if (url === HOOK_URL) this.pauser.addHook(scriptId);
      else if (url !== "") this.#scripts.add(scriptId);
    });
    session.on("Page.frameStartedNavigating", ({ frameId, navigationType }) => {
      if (frameId !== this.#options.targetId || navigationType.startsWith("sameDocument")) return;
      this.#isNavigating = true;
      // It is not collected from before it has navigated, and it must run to navigate.
      if (this.#isStopping) this.#isolate.release(this);
    });
    session.on("Page.frameStoppedLoading", ({ frameId }) => {
      if (frameId === this.#options.targetId) this.#isNavigating = false;
    });
    session.on("Page.frameNavigated", ({ frame }) => {
      if (frame.id === this.#options.targetId) this.#replaceDocument(frame.url);
    });
    session.on("Inspector.targetCrashed", () => this.#isCrashed = true);
    session.on("Inspector.targetReloadedAfterCrash", () => this.#isCrashed = false);
    session.on("Page.javascriptDialogOpening", ({ hasBrowserHandler, type }) => {
      // While the page's domain is on, the dialog waits for us: nobody else would answer it.
      if (hasBrowserHandler) return;
      const accept = type === "beforeunload";
      session.send("Page.handleJavaScriptDialog", { accept }).catch(() => {});
    });
  }

  #replaceDocument(url: string): void {
    this.#url = url;
    this.#isNavigating = false;
    this.#isCrashed = false;
    this.#scripts.clear();
    this.pauser.reset();
  }

  /** The URL of the document that it shows, once known. */
  get url(): string {
    return this.#url;
  }

  get isReachable(): boolean {
    return !this.#isNavigating && !this.#isCrashed;
  }

  owns(scriptId: string): boolean {
    return this.#scripts.has(scriptId);
  }

  wants(qualified: string): boolean {
    return !this.#ignored.has(qualified);
  }

  keep(coverage: Buffer): void {
    if (coverage.length > EMPTY.length) this.#kept.push(coverage);
  }

  readProbes(): void {
    this.#readsProbes = true;
  }

  async readHits(): Promise<void> {
    if (!this.#readsProbes || !this.isReachable) return;
    const hits = await evaluateHits(this.session).catch(() => []);
    if (hits.length > 0) this.#hits.push(hits);
  }

  takeHits(): Uint32Array {
    return Uint32Array.from(this.#hits.splice(0).flat());
  }

  move(isolateId: string): Isolate {
    if (isolateId !== this.#isolate.id) {
      this.#isolate.leave(this);
      this.#isolate = this.#options.isolates.get(isolateId);
      this.#isolate.join(this);
    }
    return this.#isolate;
  }

  /** It has paused without need: does the work of that moment, and lets it go on. */
  async #pass(pause: Pause): Promise<void> {
    try {
      if (pause === "arriving") await inTime(this.#arrive(), MOST_DELAY);
      if (pause === "leaving") await inTime(this.#leave(), MOST_DELAY);
    } catch {
      // It is gone, or the next collection will find its isolate.
    }
    this.pauser.resume();
  }

  /** Finds out which isolate it is in. */
  async find(): Promise<void> {
    const { id } = await this.session.send("Runtime.getIsolateId");
    this.move(id);
  }

  async #arrive(): Promise<void> {
    await this.find().catch(() => {});
    await this.#options.onArrival(this.#url);
  }

  /** With the document, V8 forgets its counts, and the session the sources. */
  async #leave(): Promise<void> {
    const isolate = this.#isolate;
    await isolate.collect(this);
    await this.#sources.fetch(this.#scripts, (scriptId) => {
      const qualified = isolate.qualify(scriptId);
      return this.#served.has(qualified) || !this.wants(qualified) ? undefined : qualified;
    });
  }

  async stop(options: { run: number; hold: boolean }): Promise<Taken> {
    if (this.#isCrashed) return { coverage: this.#takeKept(), held: true };
    await this.#isolate.letRun(options.run);
    this.#isStopping = true;
    try {
      const held = await this.#isolate.stop(this, options);
      return { coverage: this.#takeKept(), held };
    } finally {
      this.#isStopping = false;
    }
  }

  #takeKept(): Uint8Array {
    const kept = this.#kept;
    this.#kept = [];
    if (kept.length < 2) return kept[0] ?? EMPTY;
    const parts = kept.flatMap((text, i) => [i > 0 ? COMMA : OPENING, text.subarray(1, -1)]);
    return Buffer.concat([...parts, CLOSING]);
  }

  release(): void {
    this.#isolate.release(this);
  }

  async fetchSources(scriptIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const isolate = this.#isolate;
    await this.#sources.fetch(
      scriptIds.flatMap((qualified) => isolate.unqualify(qualified) ?? []),
      (scriptId) => isolate.qualify(scriptId),
    );
    const found = this.#sources.take(scriptIds);
    for (const qualified of found.keys()) this.#served.add(qualified);
    return found;
  }

  ignore(scriptIds: readonly string[]): void {
    for (const qualified of scriptIds) this.#ignored.add(qualified);
    this.#sources.take(scriptIds);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await this.#options.detach();
    await this.closed;
  }
}

const OPENING = Buffer.from("[");
const COMMA = Buffer.from(",");
const CLOSING = Buffer.from("]");
const EMPTY = Buffer.from("[]");
