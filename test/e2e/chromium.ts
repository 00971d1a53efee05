/** Debian's Chromium, headless, with a profile of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectSession } from "../../src/targets/cdp/connect_session.ts";

/** The flags with which V8 counts exactly. */
const FLAGS = ["--js-flags=--no-opt,--no-maglev,--no-enable-lazy-source-positions"];
/** ms that it has to start, and that a page has to show up. */
const TIMEOUT = 60_000;

/** A tab, as `/json/list` reports it. */
export interface Tab {
  readonly id: string;
  readonly type: string;
  readonly url: string;
  readonly webSocketDebuggerUrl: string;
}

export class Chromium implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, options: { folder: string; port: number }) {
    this.#child = child;
    this.#folder = options.folder;
    this.port = options.port;
  }

  static async start(flags: readonly string[] = FLAGS): Promise<Chromium> {
    const folder = mkdtempSync(join(tmpdir(), "kcovfs-chromium-"));
    const child = spawn("chromium", [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      // Containers often have little shared memory.
      "--disable-dev-shm-usage",
      "--no-first-run",
      // Without it, timers of hidden tabs would hardly run between the holds of a client that reads all the
      // time.
      "--disable-background-timer-throttling",
      "--remote-debugging-port=0",
      `--user-data-dir=${folder}`,
      ...flags,
      "about:blank",
    ], { stdio: "ignore", detached: true });
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    const file = join(folder, "DevToolsActivePort");
    const start = async () => {
      const until = Date.now() + TIMEOUT;
      while (!existsSync(file) || !readFileSync(file, "utf8").includes("\n")) {
        if (Date.now() > until) throw new Error("Chromium did not start");
        await sleep(20);
      }
      return parseInt(readFileSync(file, "utf8"), 10);
    };
    try {
      return new Chromium(child, { folder, port: await Promise.race([start(), failed]) });
    } catch (error) {
      end(child);
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Opens a tab as a user does. Unlike `/json/new`, this waits for sessions that are attached. */
  async open(url: string): Promise<Tab> {
    const { webSocketDebuggerUrl } = await this.#ask("/json/version") as Tab;
    await using session = await connectSession(webSocketDebuggerUrl);
    const before = new Set((await this.tabs()).map(({ id }) => id));
    await session.send("Target.createTarget", { url }, { timeout: TIMEOUT });
    return (await this.tabs()).find(({ id }) => !before.has(id))!;
  }

  async close(tab: Tab): Promise<void> {
    await fetch(`http://${this.address}/json/close/${tab.id}`);
  }

  async tabs(): Promise<Tab[]> {
    return await this.#ask("/json/list") as Tab[];
  }

  async #ask(path: string): Promise<unknown> {
    return await (await fetch(`http://${this.address}${path}`)).json();
  }

  /** The value of an expression in a tab, by a session that ends with it. */
  async evaluate(tab: Tab, expression: string): Promise<unknown> {
    await using session = await connectSession(tab.webSocketDebuggerUrl);
    const params = { expression, returnByValue: true, awaitPromise: true, userGesture: true };
    const { result } = await session.send("Runtime.evaluate", params, { timeout: TIMEOUT });
    return result.value;
  }

  async reload(tab: Tab): Promise<void> {
    await using session = await connectSession(tab.webSocketDebuggerUrl);
    await session.send("Page.reload", undefined, { timeout: TIMEOUT });
  }

  /** Ends a tab's renderer. */
  async crash(tab: Tab): Promise<void> {
    await using session = await connectSession(tab.webSocketDebuggerUrl);
    await session.send("Page.crash", undefined, { timeout: 1000 }).catch(() => {});
  }

  /** Why a session of its own cannot get a tab's counts. */
  async coverageError(tab: Tab): Promise<string> {
    await using session = await connectSession(tab.webSocketDebuggerUrl);
    await session.send("Profiler.enable", undefined, { timeout: TIMEOUT });
    const timeout = { timeout: TIMEOUT };
    const taking = session.send("Profiler.takePreciseCoverage", undefined, timeout);
    return await taking.then(() => "", (error: Error) => error.message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    end(this.#child);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
    // Its helpers may still be writing.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

/** Ends the whole group of a process that leads it. */
function end(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, "SIGKILL");
  } catch {
    // The process has ended by itself.
  }
}
