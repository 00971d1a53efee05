import { inTime } from "../../base/in_time.ts";
import type { CdpSession } from "../cdp/session.ts";
import type { AttachedEvent as Attached } from "../cdp/shapes.ts";
import { type ConnectOptions, globsOf, type TargetHost } from "../attach/connector.ts";
import type { Target } from "../target.ts";
import { BrowserConnection } from "./browser_connection.ts";
import { ChromiumLink } from "./chromium_link.ts";
import { DOCUMENT_HOOK } from "./document_hook.ts";
import { Isolates } from "./isolates.ts";
import { isInternal, targetName } from "./names.ts";

/** The facts about a browser, and the options for its targets. */
export interface BrowserOptions extends ConnectOptions {
  /** In the form that `ps` shows. */
  readonly runtime: string;
  /** A remark for each target. */
  readonly remark: string;
  /** Whether there is a cache of compiled code; without one, the network's cache may be used. */
  readonly hasCodeCache: boolean;
}

/** ms after which a target is let run although it has not answered. */
const SETUP_TIMEOUT = 5000;
/** ms after which a frame or popup becomes a target although no document has begun in it. */
const ARRIVAL_TIMEOUT = 500;
/** Types of targets that are measured (`content/public/browser/devtools_agent_host.h`). */
const TYPES = ["page", "iframe", "worker", "shared_worker", "service_worker"];
const FILTER = TYPES.map((type) => ({ type }));
const AUTO_ATTACH = {
  autoAttach: true,
  waitForDebuggerOnStart: true,
  flatten: true,
  filter: FILTER,
};
/**
 * The targets that the browser itself announces. Pages come by way of their tabs: a page that the browser
 * announces waits in name only (**measured**: its scripts were there before coverage in one of two pages).
 */
const BROWSER_FILTER = ["tab", "shared_worker", "service_worker"].map((type) => ({ type }));

/** A browser whose pages, frames and workers are targets, as they come and go. */
export class Browser {
  readonly #connection: BrowserConnection;
  readonly #host: TargetHost;
  readonly #options: BrowserOptions;
  readonly #isolates = new Isolates();
  /** By targets' ids. */
  readonly #sessions = new Map<string, CdpSession>();
  readonly #targets = new Set<Target>();
  readonly #admitting = new Set<Promise<void>>();
  /** Sessions that we are ending. */
  readonly #detaching = new Set<string>();
  #hasAll = false;

  constructor(connection: BrowserConnection, host: TargetHost, options: BrowserOptions) {
    this.#connection = connection;
    this.#host = host;
    this.#options = options;
    this.#follow(connection.browser);
  }

  /** Attaches to everything that is there and that comes; resolves with the targets that are there. */
  async attachAll(): Promise<Target[]> {
    this.#hasAll = true;
    const params = { ...AUTO_ATTACH, filter: BROWSER_FILTER };
    await this.#connection.browser.send("Target.setAutoAttach", params);
    return await this.#admitted();
  }

  /** Attaches to one target, and to the frames and workers that it has. */
  async attachOne(targetId: string): Promise<Target[]> {
    await this.#connection.browser.send("Target.attachToTarget", { targetId, flatten: true });
    return await this.#admitted();
  }

  async #admitted(): Promise<Target[]> {
    while (this.#admitting.size > 0) await Promise.all(this.#admitting);
    return [...this.#targets];
  }

  /** Takes in the targets that a session announces. */
  #follow(session: CdpSession): void {
    const children = new Set<string>();
    session.on("Target.attachedToTarget", (attached) => {
      children.add(attached.sessionId);
      const admitting = this.#admit(session, attached)
        .catch((error) => this.#warn("a target of the browser", error))
        .finally(() => this.#admitting.delete(admitting));
      this.#admitting.add(admitting);
    });
    session.on("Target.detachedFromTarget", ({ sessionId }) => {
      children.delete(sessionId);
      this.#connection.close(sessionId, this.#detaching.has(sessionId) ? "detached" : "closed");
    });
    // They end with this session, and no message says so.
    session.closed.then((reason) => {
      for (const child of children) this.#connection.close(child, reason);
    });
  }

  #warn(what: string, error: unknown): void {
    this.#host.reporter.warn(`Cannot measure ${what}: ${(error as Error).message}`);
  }

  /** The target runs afterwards in any case; rejects if it is announced as no target is. */
  async #admit(parent: CdpSession, attached: Attached): Promise<void> {
    const { sessionId, targetInfo, waitingForDebugger } = attached;
    const session = this.#connection.open(sessionId);
    const { targetId, url, type } = targetInfo;
    if (type === "tab") return await this.#enter(session);
    // A service worker is announced by the browser and by its pages, but it outlives the pages.
    const isItsOwn = type !== "service_worker" || parent === this.#connection.browser ||
      !this.#hasAll;
    const isWanted = isItsOwn && !this.#sessions.has(targetId) &&
      !(isInternal(url) && type !== "page");
    try {
      if (isWanted) await this.#measure(session, attached);
    } catch (error) {
      this.#warn(url || type, error);
      if (this.#sessions.get(targetId) === session) this.#sessions.delete(targetId);
    }
    if (waitingForDebugger) session.send("Runtime.runIfWaitingForDebugger").catch(() => {});
    if (this.#sessions.get(targetId) !== session) await this.#detach(sessionId);
  }

  /** Makes a tab announce its page. */
  async #enter(tab: CdpSession): Promise<void> {
    this.#follow(tab);
    await inTime(tab.send("Target.setAutoAttach", AUTO_ATTACH), SETUP_TIMEOUT).catch(() => {});
    tab.send("Runtime.runIfWaitingForDebugger").catch(() => {});
  }

  async #measure(session: CdpSession, { sessionId, targetInfo: info }: Attached): Promise<void> {
    const { targetId } = info;
    this.#sessions.set(targetId, session);
    session.closed.then(() => this.#sessions.delete(targetId));
    this.#follow(session);
    // The browser's own pages become targets once they show something else.
    let adding: Promise<void> | undefined;
    const add = async (url: string) => {
      if (!isInternal(url)) await (adding ??= this.#add(link, { ...info, url }));
    };
    const link = new ChromiumLink({
      session,
      targetId,
      isolates: this.#isolates,
      onArrival: add,
      detach: () => this.#release(sessionId),
    });
    // All at once: a page may not wait for us, even if it was announced as waiting (`/json/new`).
    const counting = this.#count(session, info.type);
    const hooking = isDocument(info.type) ? this.#hook(session) : Promise.resolve();
    // A popup makes its opener wait, in an isolate that others may want to pause.
    if (info.openerId) session.send("Runtime.runIfWaitingForDebugger").catch(() => {});
    await inTime(Promise.all([counting, hooking, link.find()]), SETUP_TIMEOUT);
    if (info.url !== "" && !info.openerId) await add(info.url);
    // A frame or a popup is announced before it is known what it will show, and whether it will show
    // anything.
    else {
      const arrived = () => add(link.url).catch((error) => this.#warn(link.url, error));
      setTimeout(arrived, ARRIVAL_TIMEOUT).unref();
    }
  }

  async #add(link: ChromiumLink, info: Attached["targetInfo"]): Promise<void> {
    const { name, runtime, remark } = this.#options;
    const target = await this.#host.add(link, {
      name: name ?? targetName(info),
      // No command gives the process of a target.
      pid: 0,
      runtime,
      remark,
      ...globsOf(this.#options),
    });
    this.#targets.add(target);
  }

  /** Turns on what counting needs; resolves when counting has begun. */
  async #count(session: CdpSession, type: string): Promise<void> {
    // A service worker answers this command only when it runs.
    if (type !== "service_worker") {
      session.send("Target.setAutoAttach", AUTO_ATTACH).catch(() => {});
    }
    if (this.#options.hasCodeCache) {
      // The cache is off only while the domain is on.
      const none = { maxTotalBufferSize: 0, maxResourceBufferSize: 0 };
      session.send("Network.enable", none).catch(() => {});
      session.send("Network.setCacheDisabled", { cacheDisabled: true }).catch(() => {});
    }
    await Promise.all([
      session.send("Debugger.enable"),
      session.send("Profiler.enable"),
      session.send("Profiler.startPreciseCoverage", { callCount: true, detailed: true }),
    ]);
  }

  async #hook(session: CdpSession): Promise<void> {
    await Promise.all([
      session.send("Inspector.enable"),
      session.send("Page.enable"),
      session.send("Page.addScriptToEvaluateOnNewDocument", { source: DOCUMENT_HOOK }),
    ]);
  }

  async #detach(sessionId: string): Promise<void> {
    this.#detaching.add(sessionId);
    await this.#connection.browser.send("Target.detachFromTarget", { sessionId }).catch(() => {});
    this.#connection.close(sessionId, "detached");
    this.#detaching.delete(sessionId);
  }

  /** Lets a target go; with the last target, also the browser. */
  async #release(sessionId: string): Promise<void> {
    await this.#detach(sessionId);
    if ([...this.#targets].every(({ state }) => state === "ended")) {
      await this.#connection[Symbol.asyncDispose]();
    }
  }
}

/** Whether a target of this type shows documents, one after the other. */
function isDocument(type: string): boolean {
  return type === "page" || type === "iframe";
}
