import { pickScripts } from "../messages/script_slices.ts";
import { inTime } from "../base/in_time.ts";
import { CdpSession } from "./cdp/session.ts";
import type { CdpTransport } from "./cdp/transport.ts";
import { InspectorPause } from "./inspector_pause.ts";
import type { Link, Taken } from "./link.ts";
import { connectWebSocket } from "./cdp/web_socket.ts";
import { Deferred } from "../base/deferred.ts";

/** Events of an inspector's target. */
export interface InspectorEvents {
  /** Takes the target's last coverage; the target exits when the promise is settled. */
  readonly onFarewell: (link: InspectorLink, coverage: Uint8Array) => Promise<void>;
  /** Another debugger let the target go while it was held. */
  readonly onBroken: (link: InspectorLink) => void;
}

/** The settings of an {@linkcode InspectorLink}. */
export interface InspectorOptions extends InspectorEvents {
  /** The runtime and its version, such as `deno 2.9.5`. */
  readonly runtime: string;
  /** ms for the target until coverage is on. */
  readonly timeout: number;
  /** The number of modules at whose first lines it waits, from {@linkcode InspectorLink.letStart} on. */
  readonly starts?: number;
}

/**
 * Connects to the inspector at a WebSocket and turns coverage on.
 *
 * @param url `ws://HOST:PORT/PATH`.
 * @throws with a reason if nothing answers there in time, or if the answer is no inspector's.
 */
export async function connectInspector(
  url: string,
  options: InspectorOptions,
): Promise<InspectorLink> {
  const transport = await connectWebSocket(url, options);
  try {
    return await InspectorLink.start(transport, options);
  } catch (error) {
    throw new Error(`Cannot attach to ${url}: ${(error as Error).message}`);
  }
}

/** A V8 reached by its inspector; nothing of ours is loaded into it. */
export class InspectorLink implements Link {
  readonly kind = "inspector";
  readonly closed: Promise<string>;
  readonly started: Promise<unknown>;
  readonly #session: CdpSession;
  readonly #pause: InspectorPause;
  readonly #options: InspectorOptions;
  readonly #ignored = new Set<string>();
  #hold = "pause";
  /** Whether its JavaScript has ended: to exit, it waits for the session's end. */
  #isEnding = false;
  /** Whether its first line has not run yet: no line runs before {@linkcode letStart}. */
  #isWaiting: boolean;
  #isHeld = false;
  #onRelease: (() => void) | undefined;
  readonly #hasStarted = new Deferred<void>();
  /** Collections follow each other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(transport: CdpTransport, options: InspectorOptions) {
    this.#options = options;
    this.#isWaiting = (options.starts ?? 0) > 0;
    this.#session = new CdpSession(transport);
    this.closed = this.#session.closed;
    this.started = Promise.race([this.#hasStarted.promise, this.closed]);
    this.#pause = new InspectorPause(this.#session, () => options.onBroken(this));
    this.#session.on("NodeRuntime.waitingForDisconnect", () => this.#leave());
  }

  /**
   * Turns coverage on, over any transport. A target that waits for a debugger goes on waiting until
   * {@linkcode letStart}.
   *
   * @throws if the other side refuses or does not answer in time; then the transport is closed.
   */
  static async start(transport: CdpTransport, options: InspectorOptions): Promise<InspectorLink> {
    const link = new InspectorLink(transport, options);
    try {
      await inTime(link.#enable(), options.timeout);
      return link;
    } catch (error) {
      link.#session.close((error as Error).message);
      throw error;
    }
  }

  async #enable(): Promise<void> {
    const session = this.#session;
    const coverage = { callCount: true, detailed: true };
    await Promise.all([
      session.send("Profiler.enable"),
      session.send("Profiler.startPreciseCoverage", coverage),
      this.#pause.enable().catch(() => this.#hold = "none"),
      this.#watchForEnd(),
      this.#turnOffOptimisers(),
    ]);
  }

  /** Code that V8 optimises does not count. Deno ignores this command. */
  async #turnOffOptimisers(): Promise<void> {
    if (!this.#options.runtime.startsWith("node")) return;
    await this.#session.send("Runtime.evaluate", {
      expression: NO_OPTIMISERS,
      // It has `require`; in older versions of Node there is no other way to it.
      includeCommandLineAPI: true,
      silent: true,
    });
  }

  /** How the target is held: `pause`, or `none` if it refuses. */
  get hold(): string {
    return this.#hold;
  }

  /**
   * Node reports when it waits for us before it exits, and so does Deno at `Deno.exit`. At the end of its
   * event loop, Deno reports only that its context is gone, and only to a session that enabled these
   * reports.
   */
  async #watchForEnd(): Promise<void> {
    const ignore = () => {};
    const session = this.#session;
    await Promise.all([
      session.send("NodeRuntime.enable").catch(ignore),
      session.send("NodeRuntime.notifyWhenWaitingForDisconnect", { enabled: true }).catch(ignore),
    ]);
    if (!this.#options.runtime.startsWith("deno")) return;
    session.on("Runtime.executionContextDestroyed", () => this.#leave());
    let messages = 0;
    session.on("Runtime.consoleAPICalled", () => {
      if (++messages % CONSOLE_BATCH !== 0) return;
      session.send("Runtime.releaseObjectGroup", { objectGroup: "console" }).catch(ignore);
    });
    await session.send("Runtime.enable").catch(ignore);
  }

  /** Lets a target start that waits for a debugger, as soon as it is not held. */
  letStart(): void {
    if (!this.#isWaiting) {
      this.#session.send("Runtime.runIfWaitingForDebugger").catch(() => {});
      this.#hasStarted.resolve();
    } else if (this.#isHeld) this.#onRelease = () => this.#start();
    else this.#start();
  }

  #start(): void {
    this.#isWaiting = false;
    this.#pause.start(this.#options.starts ?? 1).then(() => this.#hasStarted.resolve());
  }

  async stop({ run, hold }: { run: number; hold: boolean }): Promise<Taken> {
    this.#isHeld = hold;
    if (hold && !this.#isStill) await this.#pause.pause(run);
    const coverage = await this.#take();
    return { coverage, held: hold && (this.#isStill || this.#pause.isHolding) };
  }

  /** Whether nothing can run in it anyway. */
  get #isStill(): boolean {
    return this.#isWaiting || this.#isEnding;
  }

  #take(): Promise<Uint8Array> {
    const isWanted = (scriptId: string, isRuntime: boolean) =>
      !isRuntime && !this.#ignored.has(scriptId);
    const pick = (answer: Buffer) => pickScripts(answer, isWanted);
    const taking = this.#turn.then(() => this.#session.take(pick));
    this.#turn = taking.catch(() => {});
    return taking;
  }

  release(): void {
    this.#isHeld = false;
    this.#pause.release();
    const onRelease = this.#onRelease;
    this.#onRelease = undefined;
    onRelease?.();
  }

  async fetchSources(scriptIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const sources = new Map<string, string>();
    await Promise.all(scriptIds.map(async (scriptId) => {
      // The command is refused for a script that is gone.
      const answer = this.#session.send("Debugger.getScriptSource", { scriptId });
      const source = (await answer.catch(() => undefined))?.scriptSource;
      if (source !== undefined) sources.set(scriptId, source);
    }));
    return sources;
  }

  ignore(scriptIds: readonly string[]): void {
    for (const id of scriptIds) this.#ignored.add(id);
  }

  /** The target is at its end, and exits when the session is closed. Never rejects. */
  async #leave(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#pause.giveUp();
    try {
      await this.#options.onFarewell(this, await this.#take());
      // Deno runs its `unload` listeners when the session is closed.
      if (this.#isHeld) await new Promise<void>((resolve) => this.#onRelease = resolve);
    } catch {
      // It ended before it could answer: its last executions are lost.
    } finally {
      this.#session.close("exited");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    this.#session.close("detached");
    await this.closed;
  }
}

/** The number of console messages whose objects V8 may keep for us. */
const CONSOLE_BATCH = 64;

const NO_OPTIMISERS = `{
  const v8 = process.getBuiltinModule?.("node:v8") ?? require("node:v8");
  v8.setFlagsFromString("--no-opt");
  v8.setFlagsFromString("--no-maglev");
}
//# sourceURL=node:kcovfs`;
