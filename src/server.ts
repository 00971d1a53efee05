/** The composition root: the only file that knows of the filesystem, the device, V8 and the targets. */
import type { Session } from "node:inspector";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import type { Hello } from "./agent/protocol.ts";
import { Attacher } from "./attacher.ts";
import { Collector } from "./collector.ts";
import type { AttachParams, DetachParams, TargetRow } from "./control_client.ts";
import { ControlSocket } from "./control_socket.ts";
import { Engine } from "./coverage/engine.ts";
import { scriptFilter } from "./coverage/script_filter.ts";
import { SymbolTable } from "./coverage/symbol_table.ts";
import { TableBuilder } from "./coverage/table_builder.ts";
import { mountFuse, serveDescriptor, type ServeOptions, unmountFuse } from "./fuse/mod.ts";
import { Device, KcovFilesystem } from "./kcov/mod.ts";
import { logger } from "./logger.ts";
import { setTimerSlack } from "./system_calls.ts";
import { formatSymbols } from "./report/symbolize.ts";
import { formatTargets } from "./report/targets.ts";
import type { AgentLink } from "./targets/agent_link.ts";
import { connectInspectors } from "./targets/inspector_connector.ts";
import type { Link } from "./targets/link.ts";
import { connectChromium } from "./targets/chromium/mod.ts";
import { Registry } from "./targets/registry.ts";
import { SelfLink } from "./targets/self_link.ts";
import type { Hold, Target, TargetInfo } from "./targets/target.ts";
import { VERSION } from "./version.ts";
import { Watchdog } from "./watchdog/mod.ts";

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
  readonly hold: Hold;
  /** The session of `startSelfCoverage`, where the server is a target itself. */
  readonly self?: Session;
  /** Takes what the user should know, a line each. */
  readonly warn: (line: string) => void;
}

/** The subtype in the mount table: `fuse.kcovfs`. */
export const SUBTYPE = "kcovfs";
/** The threads of the pool that notifications may sleep in. `bin/` sizes the pool accordingly. */
export const NOTIFICATION_THREADS = 10;
/** ns; page windows are some tens of µs long. */
const TIMER_SLACK = 1000;
/** Bytes of file data in one WRITE at most. */
const MAX_WRITE = 256 * 1024;

/** Everything but a mount: targets can register, and any number of connections be served. */
export class Server implements AsyncDisposable {
  readonly #options: ServerOptions;
  readonly #symbols: SymbolTable;
  readonly #tables = new TableBuilder();
  readonly #watchdog = Watchdog.start();
  readonly #registry: Registry;
  readonly #collector: Collector;
  readonly #attacher: Attacher;
  #control!: ControlSocket;
  readonly #links = new Map<Link, Target>();
  readonly #devices = new Set<Device>();

  private constructor(symbols: SymbolTable, options: ServerOptions) {
    this.#options = options;
    this.#symbols = symbols;
    if (this.#symbols.damaged > 0) {
      options.warn(`Cannot read ${this.#symbols.damaged} lines of ${symbolFile(options.state)}`);
    }
    const log = logger("target");
    this.#registry = new Registry({
      collectTimeout: options.collectTimeout,
      hold: options.hold,
      onChange: (target) => this.#report(target, log),
      onRegroup: () => this.#devices.forEach((device) => device.regroup()),
    });
    const { include, exclude, warn } = options;
    const own = [fileURLToPath(new URL(".", import.meta.url))];
    const isMeasured = scriptFilter({ include, exclude, own });
    const isMeasuredInSelf = scriptFilter({ include, exclude });
    const filterFor = ({ link, info }: Target) => {
      const isMeasuredByServer = link.kind === "self" ? isMeasuredInSelf : isMeasured;
      if (!info.include && !info.exclude) return isMeasuredByServer;
      const isMeasuredByTarget = scriptFilter(info);
      return (url: string) => isMeasuredByServer(url) && isMeasuredByTarget(url);
    };
    this.#collector = new Collector({
      registry: this.#registry,
      engine: new Engine({ symbols: this.#symbols, tables: this.#tables, warn }),
      filterFor,
      warn,
    });
    this.#attacher = new Attacher({
      registry: this.#registry,
      host: {
        add: (link, info) => this.#add(link, info),
        farewell: (link, coverage) => this.#farewell(link, coverage),
        collectTimeout: options.collectTimeout,
        warn,
      },
      connectors: { inspector: connectInspectors, chromium: connectChromium },
      socket: () => this.socket,
    });
    if (options.self) {
      const info = { name: "kcovfs", pid: process.pid, runtime: `node ${process.version}` };
      this.#registry.add(new SelfLink(options.self), info);
    }
  }

  /** @throws when the symbol table cannot be opened. */
  static async start(options: ServerOptions): Promise<Server> {
    setTimerSlack(TIMER_SLACK);
    const server = new Server(openSymbols(options.state), options);
    server.#control = await ControlSocket.listen({
      onAgent: (link, hello) => server.#admit(link, hello),
      onFarewell: (link, coverage) => server.#farewell(link, coverage),
      onExpired: (link) => server.#expired(link),
      onRequest: (request) => server.#answer(request),
      warn: options.warn,
    }, { mode: 0o600 | options.mode & 0o666, uid: options.uid, gid: options.gid });
    return server;
  }

  /** The control socket's path. */
  get socket(): string {
    return this.#control.path;
  }

  #report(target: Target, log: (line: string) => void): void {
    const { name, pid } = target.info;
    log(`${name} (pid ${pid}): ${target.state}${target.note && `, ${target.note}`}`);
    if (target.note && target.state !== "ended") {
      this.#options.warn(`Target ${name} (pid ${pid}): ${target.note}`);
    }
  }

  /** Adds a target that has no agent. */
  #add(link: Link, info: TargetInfo): Promise<Target> {
    return new Promise((resolve) =>
      this.#registry.whenRunning(info, () => {
        link.setArmed(this.#isArmed);
        const target = this.#registry.add(link, info);
        this.#links.set(link, target);
        link.closed.then(() => this.#links.delete(link));
        resolve(target);
      })
    );
  }

  /** A target may start when no other is held, for it would run unheld. */
  #admit(link: AgentLink, hello: Hello): void {
    const info = this.#infoOf(hello);
    this.#registry.whenRunning(info, () => {
      const target = this.#registry.add(link, info);
      if (hello.attachment) this.#attacher.arrived(hello.attachment, target);
      this.#links.set(link, target);
      link.closed.then(() => this.#links.delete(link));
      link.welcome({
        id: target.id,
        name: target.info.name,
        isArmed: this.#isArmed,
        holdTimeout: this.#holdTimeout,
        pipe: this.#control.makePipe(),
      });
    });
  }

  /** What another target has started is named after it. */
  #infoOf({ name, pid, runtime, parent, tid, include, exclude }: Hello): TargetInfo {
    const starter = typeof parent === "number" ? this.#registry.find(parent) : undefined;
    const prefix = typeof parent === "string" ? parent : starter?.info.name;
    return {
      name: prefix ? `${prefix}.${name}` : name,
      pid,
      runtime,
      ...(tid && { tid }),
      ...(starter && { parent: starter }),
      ...(include && { include }),
      ...(exclude && { exclude }),
    };
  }

  /** ms; nothing that goes well takes as long. */
  get #holdTimeout(): number {
    return this.#options.collectTimeout * 2 + 1000;
  }

  #expired(link: AgentLink): void {
    const { name, pid } = this.#links.get(link)!.info;
    this.#options.warn(
      `Target ${name} (pid ${pid}): was held for ${this.#holdTimeout} ms and let go; a read may be stale`,
    );
  }

  /** Whether anybody traces. */
  get #isArmed(): boolean {
    return [...this.#devices].some((device) =>
      device.instances.some((instance) => instance.state.kind === "enabled")
    );
  }

  async #farewell(link: Link, coverage: Uint8Array): Promise<void> {
    const target = this.#links.get(link);
    if (target) await this.#collector.farewell(target, coverage);
  }

  async #answer(request: unknown): Promise<unknown> {
    const { kind, params } = (request ?? {}) as { kind?: unknown; params?: unknown };
    switch (kind) {
      case "targets":
        return this.#rows();
      case "server":
        return { pid: process.pid, state: path.resolve(this.#options.state), version: VERSION };
      case "attach":
        return this.#rows(await this.#attacher.attach(params as AttachParams));
      case "detach":
        return this.#rows([await this.#attacher.detach((params as DetachParams).target)]);
    }
    throw new Error("the server does not know this request; it is of another version");
  }

  #rows(targets = this.#registry.targets): TargetRow[] {
    return targets.map((target) => {
      const { measured, blocks, coarse, unnamed, unparsed } =
        this.#collector.coverageOf(target).counts;
      const notes = [
        target.note,
        target.info.remark,
        coarse > 0 && `${coarse} functions without block counters`,
        unnamed > 0 && `${unnamed} scripts without a URL`,
        unparsed > 0 && `${unparsed} scripts that cannot be parsed`,
      ];
      return {
        id: target.id,
        name: target.info.name,
        pid: target.info.pid,
        runtime: target.info.runtime,
        ...(target.info.tid && { tid: target.info.tid }),
        ...(target.info.parent && { parent: target.info.parent.id }),
        link: target.link.kind,
        collector: "v8",
        hold: target.hold,
        scripts: measured,
        blocks,
        state: target.state,
        note: notes.filter(Boolean).join(", "),
      };
    });
  }

  /**
   * Serves a connection that is mounted.
   *
   * @param fd Its descriptor, an open `/dev/fuse`.
   * @param mount `root`: a path by which this process sees the mount. `directory`: where it is to be
   * unmounted should this process die.
   * @returns a promise that is settled when the connection has ended.
   */
  async serve(fd: number, mount: { root: string; directory?: string }): Promise<void> {
    const options: ServeOptions = {
      maxWrite: MAX_WRITE,
      // Each fault is one READ of one page: page 0 must not come into the cache unasked.
      maxReadahead: 0,
      notifications: NOTIFICATION_THREADS,
      log: logger("fuse"),
      warn: this.#options.warn,
    };
    let device: Device | undefined;
    const connection = serveDescriptor(fd, (connection) => {
      const { notifier } = connection;
      device = new Device(this.#collector, {
        invalInode: (nodeid, range) => notifier.invalInode(nodeid, range),
        store: (nodeid, offset, data) => notifier.store(nodeid, offset, data),
        get reads() {
          return connection.reads;
        },
      }, { log: logger("kcov"), onChange: () => this.#arm() });
      this.#devices.add(device);
      return new KcovFilesystem(device, {
        ...this.#options,
        files: new Map([
          ["targets", () => formatTargets(this.#rows())],
          ["symbols", () => formatSymbols(this.#symbols)],
        ]),
        targets: () => this.#registry.names,
        socket: this.socket,
        read: () => connection.reads,
      });
    }, options);
    try {
      const watched = await this.#watchdog.watch(mount.root, mount.directory);
      await connection.ended;
      this.#watchdog.forget(watched);
    } finally {
      this.#devices.delete(device!);
      await device![Symbol.asyncDispose]();
      this.#arm();
    }
  }

  /** Targets whose exit nobody waits for need not hand over their last coverage. */
  #arm(): void {
    const isArmed = this.#isArmed;
    for (const link of this.#links.keys()) link.setArmed(isArmed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#registry.release();
    await this.#control[Symbol.asyncDispose]();
    await this.#tables[Symbol.asyncDispose]();
    await this.#watchdog[Symbol.asyncDispose]();
    this.#symbols[Symbol.dispose]();
  }
}

function openSymbols(state: string): SymbolTable {
  try {
    return SymbolTable.open(symbolFile(state));
  } catch (error) {
    throw new Error(
      `Cannot open the symbols in ${state}: ${(error as Error).message}; see --state`,
    );
  }
}

/** The symbol table's file in a state folder. */
export function symbolFile(state: string): string {
  return path.join(state, "symbols");
}

/** A server with a mount; disposing of it unmounts. */
export interface MountedServer extends AsyncDisposable {
  readonly server: Server;
  /** Resolves when it is unmounted, by whomever. */
  readonly ended: Promise<void>;
}

/**
 * Mounts on a directory.
 *
 * @throws {MountError} when that cannot be done; then nothing is left behind.
 */
export async function mountServer(
  directory: string,
  options: ServerOptions,
): Promise<MountedServer> {
  const server = await Server.start(options);
  let fd: number;
  try {
    fd = await mountFuse(directory, { subtype: SUBTYPE });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  let isMounted = true;
  const ended = server.serve(fd, { root: directory, directory }).finally(() => isMounted = false);
  ended.catch(() => {});
  return {
    server,
    ended,
    async [Symbol.asyncDispose]() {
      if (isMounted) await unmountFuse(directory);
      await ended.catch(() => {});
      await server[Symbol.asyncDispose]();
    },
  };
}
