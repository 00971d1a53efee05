/** The composition root: the only file that knows of the filesystem, the device, V8 and the targets. */
import type { Session } from "node:inspector";
import * as path from "node:path";
import { Admission } from "./admission.ts";
import type { CollectorChoice } from "../messages/protocol.ts";
import { Arrivals, Attacher } from "./attacher.ts";
import { Deferred } from "../base/deferred.ts";
import { ProcessReader } from "../base/process_reader.ts";
import { Threads } from "../base/threads.ts";
import { Collector } from "./collector.ts";
import type { ServerFacts } from "../messages/requests.ts";
import { ControlSocket } from "./control_socket.ts";
import { coveredTargets, keepCovered } from "../symbols/covered_record.ts";
import { CoveredBlocks } from "../symbols/covered_blocks.ts";
import { Engine } from "../scripts/engine.ts";
import { SourceStore } from "../symbols/source_store.ts";
import type { SymbolTable } from "../symbols/symbol_table.ts";
import { Pipeline } from "../scripts/pipeline.ts";
import type { Device } from "../kcov/mod.ts";
import { logger } from "../base/logger.ts";
import { Meters } from "./meters.ts";
import { Recorder } from "../recording/recorder.ts";
import { counted } from "../report/display_text.ts";
import { shownTargets } from "../report/living_targets.ts";
import { formatMetrics } from "../report/metrics.ts";
import { ownTexts } from "../report/script_texts.ts";
import { formatSymbols } from "../report/symbolize.ts";
import { formatTargets } from "../report/targets.ts";
import { RequestAnswers } from "./request_answers.ts";
import { serveConnection } from "./serve_connection.ts";
import { openSymbols, sourcesFolder, symbolFile } from "../symbols/symbol_file.ts";
import { SharedFolder } from "../base/shared_folder.ts";
import { ioctl, setTimerSlack } from "../base/system_calls.ts";
import { targetFilter } from "./target_filter.ts";
import { connectChromium } from "../targets/chromium/mod.ts";
import { connectInspectors } from "../targets/attach/inspector_connector.ts";
import { Registry } from "../targets/registry.ts";
import { SelfLink } from "../targets/self_link.ts";
import type { Hold, Target } from "../targets/target.ts";
import { Tracing } from "./trace/probed_scripts.ts";
import { VERSION } from "../base/version.ts";
import { Watchdog } from "../watchdog/mod.ts";
import type { Reporter } from "../base/reporter.ts";

export interface ServerOptions {
  /** The folder of the symbol table. */
  readonly state: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** ms after which a target that does not answer is left out of a collection. */
  readonly collectTimeout: number;
  /** Permission bits and owner of `kcov` and of the control socket. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whether `attach` connects to addresses of other machines. */
  readonly allowRemote: boolean;
  readonly hold: Hold;
  readonly collector: CollectorChoice;
  /** Whether clients of `trace` map the memory that probes write into, where the kernel can do that. */
  readonly isPassthrough: boolean;
  /** The session of `startSelfCoverage`, if the server is a target itself. */
  readonly self?: Session;
  /** A file for all messages; see `recording/entry.ts`. */
  readonly record?: string;
  /** Takes messages for the user, a line each. */
  readonly reporter: Reporter;
}

/** The subtype in the mount table: `fuse.kcovfs`. */
export const SUBTYPE = "kcovfs";
/** ns; page windows are some tens of µs long. */
const TIMER_SLACK = 1000;
const CONNECTORS = { inspector: connectInspectors, chromium: connectChromium };

interface Prepared {
  readonly symbols: SymbolTable;
  readonly sources: SourceStore;
  readonly pipeline: Pipeline;
  /** The folder of the files that probes write into; undefined if there are none. */
  readonly folder: SharedFolder | undefined;
  readonly control: ControlSocket;
  readonly recorder: Recorder | undefined;
}

/** @throws if there must be memory to share, and there is none. */
async function chooseCollector(
  { collector, reporter }: Pick<ServerOptions, "collector" | "reporter">,
): Promise<{ collector: CollectorChoice; folder: SharedFolder | undefined }> {
  if (collector === "v8") return { collector, folder: undefined };
  try {
    return { collector, folder: await SharedFolder.make() };
  } catch (error) {
    if (collector === "trace") throw error;
    reporter.warn(`${(error as Error).message}, so there are no probes: V8 counts`);
    return { collector: "v8", folder: undefined };
  }
}

/** Everything but a mount: targets can register, and any number of connections can be served. */
export class Server implements AsyncDisposable {
  /** Known when the kernel has reported its features. */
  readonly facts: Promise<ServerFacts>;
  readonly #options: ServerOptions;
  readonly #symbols: SymbolTable;
  readonly #pipeline: Pipeline;
  readonly #sources: SourceStore;
  readonly #covered = new CoveredBlocks();
  readonly #watchdog = Watchdog.start();
  readonly #processes = new ProcessReader();
  readonly #tracing: Tracing | undefined;
  readonly #registry: Registry;
  readonly #collector: Collector;
  readonly #admission: Admission;
  readonly #answers: RequestAnswers;
  readonly #control: ControlSocket;
  readonly #recorder: Recorder | undefined;
  readonly #devices = new Set<Device>();
  readonly #meters: Meters;
  /**
   * Whether clients can map the memory that probes write into; known when the kernel has reported its
   * features.
   */
  readonly #isPassthrough = new Deferred<boolean>();

  private constructor(options: ServerOptions, prepared: Prepared) {
    const { symbols, sources, pipeline, folder, control, recorder } = prepared;
    const { reporter } = options;
    this.#options = options;
    this.#symbols = symbols;
    this.#control = control;
    this.#recorder = recorder;
    this.#sources = sources;
    this.#pipeline = pipeline;
    if (symbols.damaged > 0) {
      reporter.warn(
        `Cannot read ${counted(symbols.damaged, "line")} of ${symbolFile(options.state)}`,
      );
    }
    const registry = this.#registry = this.#makeRegistry();
    const filterFor = targetFilter(options);
    const tracing = this.#tracing = folder && this.#makeTracing(folder, filterFor);
    if (!tracing || !options.isPassthrough) this.#isPassthrough.resolve(false);
    const collector = this.#collector = this.#makeCollector(filterFor);
    this.facts = this.#describe();
    this.#meters = new Meters({ devices: this.#devices, covered: this.#covered, tracing });
    const arrivals = new Arrivals();
    const admission = this.#admission = new Admission({
      ...{
        registry,
        collector,
        control,
        arrivals,
        choice: options.collector,
        devices: this.#devices,
        isPassthrough: this.#isPassthrough,
        reporter,
      },
      ...(tracing && { tracing }),
      processes: this.#processes,
    });
    this.#answers = new RequestAnswers({
      ...{ registry, collector, tracing, covered: this.#covered, uid: options.uid },
      ...{ facts: this.facts, devices: this.#devices, meters: this.#meters },
      attacher: new Attacher({
        ...{ registry, arrivals, host: admission, socket: control.path },
        ...{ connectors: CONNECTORS, allowRemote: options.allowRemote },
      }),
    });
    if (options.self) {
      const info = { name: "kcovfs", pid: process.pid, runtime: `node ${process.version}` };
      const target = registry.add(new SelfLink(options.self), info);
      tracing?.tracer.join(target);
    }
  }

  #makeRegistry(): Registry {
    const { collectTimeout, hold } = this.#options;
    const log = logger("target");
    return new Registry({
      ...{ collectTimeout, hold },
      onChange: (target) => this.#report(target, log),
      onRegroup: () => this.#devices.forEach((device) => device.regroup()),
    });
  }

  #makeTracing(
    folder: SharedFolder,
    filterFor: (target: Target) => (url: string) => boolean,
  ): Tracing {
    return new Tracing(folder, {
      ...this.#options,
      registry: this.#registry,
      symbols: this.#symbols,
      pipeline: this.#pipeline,
      covered: this.#covered,
      watchdog: this.#watchdog,
      filterFor,
      files: this.#options,
    });
  }

  #makeCollector(filterFor: (target: Target) => (url: string) => boolean): Collector {
    const { reporter } = this.#options;
    const symbols = this.#symbols;
    return new Collector({
      registry: this.#registry,
      engine: new Engine(this.#pipeline),
      covered: this.#covered,
      segments: () => symbols.segments,
      ...(this.#tracing && { tracer: this.#tracing.tracer }),
      filterFor,
      reporter,
    });
  }

  /** @throws when the symbol table cannot be opened, no thread started, or there is no memory to share. */
  static async start(options: ServerOptions): Promise<Server> {
    setTimerSlack(TIMER_SLACK);
    const symbols = openSymbols(options.state);
    const sources = new SourceStore(sourcesFolder(options.state));
    const pipeline = new Pipeline({ symbols, sources, reporter: options.reporter });
    // The pipeline's thread loads while the rest is made.
    const starting = pipeline.start().catch((error: Error) => error);
    const recorder = options.record ? new Recorder(options.record, options.reporter) : undefined;
    const { folder, collector } = await chooseCollector(options);
    const mode = 0o600 | options.mode & 0o666;
    const control = await ControlSocket.make({ ...options, mode });
    const chosen = { ...options, collector };
    const server = new Server(chosen, { symbols, sources, pipeline, folder, control, recorder });
    const failure = await starting;
    if (failure) {
      await server[Symbol.asyncDispose]();
      throw failure;
    }
    await control.listen({ agents: server.#admission, requests: server.#answers });
    return server;
  }

  /** The collector of targets: `auto` if there is memory that probes can write into. */
  get collector(): CollectorChoice {
    return this.#options.collector;
  }

  /** The control socket's path. */
  get socket(): string {
    return this.#control.path;
  }

  /** The targets that have not ended. */
  get targets(): { name: string; pid: number }[] {
    const alive = this.#registry.targets.filter(({ state }) => state !== "ended");
    return alive.map(({ info: { name, pid } }) => ({ name, pid }));
  }

  /** The texts of the scripts that targets have run. */
  async scripts(): Promise<Set<string>> {
    await this.#tracing?.refresh({ isReset: false });
    const scripts = coveredTargets(this.#covered, "start").flatMap(({ scripts }) => scripts);
    return await ownTexts(new Set(scripts.map(({ base }) => base)), {
      segments: this.#symbols.segments,
      sources: this.#sources,
    });
  }

  /** Whether there has been a target. */
  get hasHadTargets(): boolean {
    return this.#registry.names.length > 0;
  }

  #report(target: Target, log: (line: string) => void): void {
    const { name, pid } = target.info;
    log(`${name} (pid ${pid}): ${target.state}${target.note && `, ${target.note}`}`);
    if (target.note && target.state !== "ended") {
      this.#options.reporter.warn(`Target ${name} (pid ${pid}): ${target.note}`);
    }
  }

  async #describe(): Promise<ServerFacts> {
    const { state, collector } = this.#options;
    const isPassthrough = await this.#isPassthrough.promise;
    const shown = { collector, isPassthrough };
    return { pid: process.pid, state: path.resolve(state), version: VERSION, ...shown };
  }

  /**
   * Serves a connection that is mounted.
   *
   * @param fd Its descriptor, an open `/dev/fuse`.
   * @param mount `root`: a path by which this process sees the mount. `directory`: where to unmount it if
   * this process dies, in the mount namespace `namespace`. `onReady`: is called when the connection is
   * served, and will be cleaned up.
   * @returns a promise that is settled when the connection has ended.
   */
  async serve(
    fd: number,
    mount: {
      root: string;
      directory?: string;
      namespace?: string | undefined;
      onReady?: () => void;
    },
  ): Promise<void> {
    const { mode, uid, gid, reporter } = this.#options;
    await using threads = new Threads();
    const processes = this.#processes;
    const { connection, device } = serveConnection(fd, {
      callers: {
        find: (tid, onEnd) => threads.find(tid, onEnd),
        nameOf: (tid) => threads.nameOf(tid),
        readMemory: (tid, range) => processes.readMemory(tid, range),
      },
      source: this.#collector.sourceFor({}),
      targets: () => this.#registry.names,
      files: { mode, uid, gid, socket: this.socket },
      texts: new Map<string, () => string | Promise<string>>([
        ["targets", () => formatTargets(shownTargets(this.#answers.rows()))],
        ["symbols", () => formatSymbols(this.#symbols)],
        ["metrics", async () => formatMetrics(await this.#answers.snapshot())],
      ]),
      ioctl: this.#tracing && ioctl,
      total: this.#meters.total,
      onInit: (connection) => {
        const files = this.#tracing?.filesFor(connection);
        this.#isPassthrough.resolve(files !== undefined);
        return files;
      },
      recorder: this.#recorder,
      reporter,
    });
    this.#devices.add(device);
    try {
      const watched = await this.#watchdog.watch(mount.root, mount);
      mount.onReady?.();
      await connection.ended;
      this.#watchdog.forget(watched);
    } finally {
      this.#devices.delete(device);
      await device[Symbol.asyncDispose]();
    }
  }

  /** Reports need the blocks that targets have executed after this server is gone, too. */
  async #keepCovered(): Promise<void> {
    const { state, reporter } = this.#options;
    try {
      await this.#tracing?.refresh({ isReset: false });
      await keepCovered(state, this.#covered);
    } catch (error) {
      reporter.warn(`Cannot keep what was covered in ${state}: ${(error as Error).message}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#registry.release();
    await this.#control[Symbol.asyncDispose]();
    await this.#pipeline[Symbol.asyncDispose]();
    await this.#keepCovered();
    await this.#tracing?.[Symbol.asyncDispose]();
    await this.#watchdog[Symbol.asyncDispose]();
    await this.#processes[Symbol.asyncDispose]();
    await this.#sources[Symbol.asyncDispose]();
    this.#symbols[Symbol.dispose]();
    this.#recorder?.[Symbol.dispose]();
  }
}
