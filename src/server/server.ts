/** The composition root: the only file that knows of the filesystem, the device, V8 and the targets. */
import type { Session } from "node:inspector";
import * as path from "node:path";
import { Admission } from "./admission.ts";
import type { CollectorName } from "../messages/protocol.ts";
import { Attacher } from "./attacher.ts";
import { ProcessReader } from "../base/process_reader.ts";
import { Threads } from "../base/threads.ts";
import { Collector } from "./collector.ts";
import type { ServerFacts } from "../messages/control_client.ts";
import { ControlSocket } from "./control_socket.ts";
import { keepCovered } from "../symbols/covered_record.ts";
import { CoveredBlocks } from "../symbols/covered_blocks.ts";
import { Engine } from "../scripts/engine.ts";
import { SourceStore } from "../symbols/source_store.ts";
import type { SymbolTable } from "../symbols/symbol_table.ts";
import { TableBuilder } from "../scripts/table_builder.ts";
import type { Device } from "../kcov/mod.ts";
import { logger } from "../base/logger.ts";
import { Meters } from "./meters.ts";
import { Recorder } from "../recording/recorder.ts";
import { counted } from "../report/display_text.ts";
import { shownTargets } from "../report/living_targets.ts";
import { formatMetrics } from "../report/metrics.ts";
import { formatSymbols } from "../report/symbolize.ts";
import { formatTargets } from "../report/targets.ts";
import { RequestAnswers } from "./request_answers.ts";
import { serveConnection } from "./serve_connection.ts";
import { openSymbols, sourcesFolder, symbolFile } from "../symbols/symbol_file.ts";
import { SharedFolder } from "../base/shared_folder.ts";
import { ioctl, setTimerSlack } from "../base/system_calls.ts";
import { targetFilter } from "./target_filter.ts";
import { connectChromium } from "../targets/chromium/mod.ts";
import { connectInspectors } from "../targets/inspector_connector.ts";
import { Registry } from "../targets/registry.ts";
import { SelfLink } from "../targets/self_link.ts";
import type { Hold, Target } from "../targets/target.ts";
import { Tracing } from "./tracing.ts";
import { VERSION } from "../base/version.ts";
import { Watchdog } from "../watchdog/mod.ts";

/** How a server is set up. */
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
  readonly collector: CollectorName;
  /** Whether clients of `trace` are to read what probes write as they do, where the kernel can. */
  readonly isPassthrough: boolean;
  /** The session of `startSelfCoverage`, where the server is a target itself. */
  readonly self?: Session;
  /** A file for all messages; see `recording/entry.ts`. */
  readonly record?: string;
  /** Takes what the user should know, a line each. */
  readonly warn: (line: string) => void;
}

/** The subtype in the mount table: `fuse.kcovfs`. */
export const SUBTYPE = "kcovfs";
/** ns; page windows are some tens of µs long. */
const TIMER_SLACK = 1000;

/** Everything but a mount: targets can register, and any number of connections be served. */
export class Server implements AsyncDisposable {
  readonly #options: ServerOptions;
  readonly #symbols: SymbolTable;
  readonly #tables = new TableBuilder();
  readonly #sources: SourceStore;
  readonly #covered = new CoveredBlocks();
  readonly #watchdog = Watchdog.start();
  readonly #processes = new ProcessReader();
  #tracing: Tracing | undefined;
  readonly #registry: Registry;
  readonly #collector: Collector;
  readonly #admission: Admission;
  readonly #attacher: Attacher;
  readonly #answers: RequestAnswers;
  #control!: ControlSocket;
  #recorder: Recorder | undefined;
  readonly #devices = new Set<Device>();
  readonly #meters = new Meters({
    devices: this.#devices,
    coveredBlocks: () => {
      this.#tracing?.readMarks();
      return this.#covered.size;
    },
  });
  /** Whether clients read what probes write as they do: once the kernel has said whether it can. */
  #isDirect: boolean | Promise<boolean> = false;
  #setDirect: (isDirect: boolean) => void = () => {};

  private constructor(
    options: ServerOptions,
    { symbols, folder }: {
      symbols: SymbolTable;
      folder: SharedFolder | undefined;
    },
  ) {
    this.#options = options;
    this.#symbols = symbols;
    this.#sources = new SourceStore(sourcesFolder(options.state));
    if (this.#symbols.damaged > 0) {
      const lines = counted(this.#symbols.damaged, "line");
      options.warn(`Cannot read ${lines} of ${symbolFile(options.state)}`);
    }
    const log = logger("target");
    this.#registry = new Registry({
      collectTimeout: options.collectTimeout,
      hold: options.hold,
      onChange: (target) => this.#report(target, log),
      onRegroup: () => this.#devices.forEach((device) => device.regroup()),
    });
    const { warn } = options;
    const filterFor = targetFilter(options);
    this.#tracing = folder && this.#makeTracing(folder, filterFor);
    this.#collector = new Collector({
      registry: this.#registry,
      engine: new Engine({
        symbols: this.#symbols,
        tables: this.#tables,
        sources: this.#sources,
        warn,
      }),
      covered: this.#covered,
      segments: () => this.#symbols.segments,
      ...(this.#tracing && { tracer: this.#tracing.tracer }),
      filterFor,
      warn,
    });
    this.#admission = new Admission({
      registry: this.#registry,
      collector: this.#collector,
      ...(this.#tracing && { tracing: this.#tracing }),
      isDirect: () => this.#isDirect,
      makePipe: (peer) => this.#control.makePipe(peer),
      processes: this.#processes,
      onArrived: (attachment, target) => this.#attacher.arrived(attachment, target),
      warn,
    });
    this.#attacher = new Attacher({
      registry: this.#registry,
      host: this.#admission,
      connectors: { inspector: connectInspectors, chromium: connectChromium },
      socket: () => this.socket,
      allowRemote: options.allowRemote,
    });
    this.#answers = new RequestAnswers({
      registry: this.#registry,
      collector: this.#collector,
      covered: this.#covered,
      refresh: (options) => this.#refresh(options),
      tracing: this.#tracing,
      attacher: this.#attacher,
      facts: () => this.#facts(),
      measure: () => this.#meters.take(),
      uid: options.uid,
    });
    if (options.self) {
      const info = { name: "kcovfs", pid: process.pid, runtime: `node ${process.version}` };
      this.#registry.add(new SelfLink(options.self), info);
    }
  }

  #makeTracing(
    folder: SharedFolder,
    filterFor: (target: Target) => (url: string) => boolean,
  ): Tracing {
    if (this.#options.isPassthrough) {
      this.#isDirect = new Promise((resolve) => {
        this.#setDirect = (isDirect) => resolve(this.#isDirect = isDirect);
      });
    }
    return new Tracing(folder, {
      ...this.#options,
      registry: this.#registry,
      symbols: this.#symbols,
      sources: this.#sources,
      covered: this.#covered,
      watchdog: this.#watchdog,
      filterFor,
      files: this.#options,
    });
  }

  /** @throws when the symbol table cannot be opened, or there is no memory to share. */
  static async start(options: ServerOptions): Promise<Server> {
    setTimerSlack(TIMER_SLACK);
    const symbols = openSymbols(options.state);
    const recorder = options.record && new Recorder(options.record, options);
    const folder = options.collector === "trace" ? await SharedFolder.make() : undefined;
    const server = new Server(options, { symbols, folder });
    if (recorder) server.#recorder = recorder;
    server.#control = await ControlSocket.listen({
      onAgent: (link, hello, peer) => server.#admission.admit(link, hello, peer),
      onFarewell: (link, coverage) => server.#admission.farewell(link, coverage),
      onExpired: (link) => server.#admission.expired(link),
      onSource: (link, source) => server.#admission.probe(link, source),
      onRequest: (request, peer) => server.#answers.answer(request, peer),
      warn: options.warn,
    }, { ...options, mode: 0o600 | options.mode & 0o666 });
    return server;
  }

  /** The control socket's path. */
  get socket(): string {
    return this.#control.path;
  }

  /** The targets that live. */
  get targets(): { name: string; pid: number }[] {
    const alive = this.#registry.targets.filter(({ state }) => state !== "ended");
    return alive.map(({ info: { name, pid } }) => ({ name, pid }));
  }

  #report(target: Target, log: (line: string) => void): void {
    const { name, pid } = target.info;
    log(`${name} (pid ${pid}): ${target.state}${target.note && `, ${target.note}`}`);
    if (target.note && target.state !== "ended") {
      this.#options.warn(`Target ${name} (pid ${pid}): ${target.note}`);
    }
  }

  async #refresh(options: { isReset: boolean }): Promise<void> {
    // Before the kernel has said what it can, nothing is measured.
    await this.#isDirect;
    await this.#tracing?.refresh(options);
    for (const device of this.#devices) await device.refresh();
  }

  async #facts(): Promise<ServerFacts> {
    const { state, collector } = this.#options;
    const isDirect = await this.#isDirect;
    return { pid: process.pid, state: path.resolve(state), version: VERSION, collector, isDirect };
  }

  /**
   * Serves a connection that is mounted.
   *
   * @param fd Its descriptor, an open `/dev/fuse`.
   * @param mount `root`: a path by which this process sees the mount. `directory`: where it is to be
   * unmounted should this process die, in the mount namespace `namespace`. `onReady`: is called when it is
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
    const { mode, uid, gid, warn } = this.#options;
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
        this.#setDirect(files !== undefined);
        return files;
      },
      recorder: this.#recorder,
      warn,
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

  /** What targets have executed is reported on when this server is gone, too. */
  async #keepCovered(): Promise<void> {
    const { state, warn } = this.#options;
    try {
      await this.#tracing?.refresh({ isReset: false });
      await keepCovered(state, this.#covered);
    } catch (error) {
      warn(`Cannot keep what was covered in ${state}: ${(error as Error).message}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#registry.release();
    await this.#control[Symbol.asyncDispose]();
    await this.#tables[Symbol.asyncDispose]();
    await this.#keepCovered();
    await this.#tracing?.[Symbol.asyncDispose]();
    await this.#watchdog[Symbol.asyncDispose]();
    await this.#processes[Symbol.asyncDispose]();
    await this.#sources[Symbol.asyncDispose]();
    this.#symbols[Symbol.dispose]();
    this.#recorder?.[Symbol.dispose]();
  }
}
