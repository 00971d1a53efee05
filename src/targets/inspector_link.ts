import { pickScripts } from "../messages/script_slices.ts";
import { inTime } from "../base/in_time.ts";
import { CdpSession } from "./cdp/session.ts";
import type { CdpTransport } from "./cdp/transport.ts";
import { InspectorPause } from "./inspector_pause.ts";
import type { Link, Taken } from "./link.ts";
import { connectWebSocket } from "./cdp/web_socket.ts";
import { Deferred } from "../base/deferred.ts";

/** What an inspector's target says of its own accord. */
export interface InspectorEvents {
  /** Takes the target's last coverage; the target exits when the promise is settled. */
  readonly onFarewell: (link: InspectorLink, coverage: Uint8Array) => Promise<void>;
  /** Another debugger let the target go while it was held. */
  readonly onBroken: (link: InspectorLink) => void;
}

/** How an {@linkcode InspectorLink} is set up. */
export interface InspectorOptions extends InspectorEvents {
  /** The runtime and its version, such as `deno 2.9.5`. */
  readonly runtime: string;
  /** ms that the target is given until coverage is on. */
  readonly timeout: number;
  /** Of how many modules it waits before the first line, from {@linkcode InspectorLink.letStart} on. */
  readonly starts?: number;
}

/**
 * Connects to the inspector at a WebSocket and turns coverage on.
 *
 * @param url `ws://HOST:PORT/PATH`.
 * @throws with a reason when nothing answers there in time, or not as an inspector does.
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
  /** Whether its JavaScript has ended: it waits for the session's end to exit. */
  #isEnding = false;
  /** Whether its first line is still to be run: none will be before {@linkcode letStart}. */
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
   * Turns coverage on, over any transport; one that is waiting for a debugger to come waits on, until
   * {@linkcode letStart}.
   *
   * @throws when the other side refuses or does not answer in time; then the transport is closed.
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

  /** Code that V8 optimises does not count. A Deno ignores it. */
  async #turnOffOptimisers(): Promise<void> {
    if (!this.#options.runtime.startsWith("node")) return;
    await this.#session.send("Runtime.evaluate", {
      expression: NO_OPTIMISERS,
      // It has `require`, which older versions of Node have no other way to.
      includeCommandLineAPI: true,
      silent: true,
    });
  }

  /** How the target is held: `pause`, or `none` when it refuses. */
  get hold(): string {
    return this.#hold;
  }

  /**
   * Node says when it waits for us to exit, and so does Deno at `Deno.exit`; at the end of its event
   * loop, Deno says only that its context is gone, and only to who asks for all that goes on.
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

  /** Whether nothing runs in it anyway. */
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
      // It is refused for a script that is not there any more.
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
      // It has ended before it could answer: what it did last is gone with it.
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

/** How many messages of the console V8 may keep the objects of for us. */
const CONSOLE_BATCH = 64;

const NO_OPTIMISERS = `{
  const v8 = process.getBuiltinModule?.("node:v8") ?? require("node:v8");
  v8.setFlagsFromString("--no-opt");
  v8.setFlagsFromString("--no-maglev");
}
//# sourceURL=node:kcovfs`;
