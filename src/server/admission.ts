import type {
  CollectorChoice,
  CollectorName,
  Hello,
  NewSource,
  ProbedSource,
} from "../messages/protocol.ts";
import type { LiveReport, LoadedScript } from "../messages/live.ts";
import type { Peer } from "../base/peer.ts";
import { ProcessEnd } from "../base/process_end.ts";
import type { ProcessReader } from "../base/process_reader.ts";
import type { Collector } from "./collector.ts";
import type { AgentLink } from "../targets/agent_link.ts";
import type { TargetHost } from "../targets/attach/connector.ts";
import type { Link } from "../targets/link.ts";
import type { Registry } from "../targets/registry.ts";
import type { Target, TargetInfo } from "../targets/target.ts";
import type { Tracing } from "./trace/probed_scripts.ts";
import type { Arrivals } from "./attacher.ts";
import type { ControlSocket } from "./control_socket.ts";
import { blindInstances } from "./blind_instances.ts";
import type { Deferred } from "../base/deferred.ts";
import type { Device } from "../kcov/mod.ts";
import { counted } from "../report/display_text.ts";
import type { Reporter } from "../base/reporter.ts";
import { threadId } from "../base/thread_id.ts";

export interface AdmissionOptions {
  readonly registry: Registry;
  /** Takes the last coverage of targets that exit. */
  readonly collector: Collector;
  /** Gives targets probes; absent if the server has none. */
  readonly tracing?: Pick<Tracing, "choose" | "live" | "probe" | "tracer">;
  /** Which targets may come. */
  readonly choice: CollectorChoice;
  /** Some of their instances may be open already, and not see who comes. */
  readonly devices: Iterable<Pick<Device, "blindTo">>;
  /** Whether clients can map the memory that probes write into. */
  readonly isPassthrough: Deferred<boolean>;
  /** Makes the FIFOs at which agents are held. */
  readonly control: Pick<ControlSocket, "makePipe">;
  /** The agents that the server itself has brought into processes. */
  readonly arrivals: Pick<Arrivals, "arrived">;
  readonly processes: ProcessReader;
  readonly reporter: Reporter;
}

const ONLY_PROBES =
  "it cannot have the agent while it runs, and without it no probes, and this server reads nothing else: " +
  "start it with `kcovfs run`, or the server with --collector v8 or --no-passthrough";

const OTHER_PROCESS = "it says that a thread of another process has started it";
/** Characters of the runtime that a target claims to have. */
const LONGEST_RUNTIME = 100;
/** Characters of the reason why a target cannot be held. */
const LONGEST_REASON = 200;

/** Admits targets that come by the agent or by a connector, and takes their last coverage when they go. */
export class Admission implements TargetHost {
  readonly #options: AdmissionOptions;
  /** The targets that may still send a last coverage. */
  readonly #links = new Map<Link, Target>();
  /** The processes of targets. */
  readonly #processes = new WeakMap<Target, ProcessEnd>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get collectTimeout(): number {
    return this.#options.registry.collectTimeout;
  }

  get processes(): ProcessReader {
    return this.#options.processes;
  }

  get reporter(): Reporter {
    return this.#options.reporter;
  }

  /**
   * Adds a target that has no agent; resolves when it is added. It must not run before.
   *
   * @throws when the server's targets must have probes.
   */
  async add(link: Link, info: TargetInfo): Promise<Target> {
    const { value, promise } = this.#options.isPassthrough;
    if (!this.#takesCounted(value ?? await promise)) throw new Error(ONLY_PROBES);
    return await new Promise((resolve) =>
      this.#options.registry.whenRunning(info, () => {
        const target = this.#enter(link, info);
        this.#options.tracing?.tracer.join(target);
        resolve(target);
      })
    );
  }

  async checkWithoutAgent(): Promise<void> {
    const { value, promise } = this.#options.isPassthrough;
    if (!this.#takesCounted(value ?? await promise)) throw new Error(ONLY_PROBES);
  }

  /** Whether something without probes can be a target. */
  #takesCounted(isPassthrough: boolean): boolean {
    return this.#options.choice !== "trace" || !isPassthrough;
  }

  get hasProbes(): boolean {
    return this.#options.tracing !== undefined;
  }

  /**
   * The way to measure a program that runs already. With `auto` V8 counts it: only `trace` asks to edit a
   * running program.
   */
  get collector(): CollectorName {
    return this.#options.tracing && this.#options.choice === "trace" ? "trace" : "v8";
  }

  /**
   * Adds a target that has the agent, and welcomes it. A target may start only when no other is held, because
   * it would run unheld.
   *
   * @param options `peer`: who has connected. Its process is the target's, whatever the hello says.
   */
  async admit(
    link: AgentLink,
    hello: Hello,
    { peer }: { peer: Peer },
  ): Promise<void> {
    const { value, promise } = this.#options.isPassthrough;
    const isPassthrough = value ?? await promise;
    const reason = this.#reasonAgainst(hello, { isPassthrough, peer });
    if (reason) {
      this.#options.reporter.warn(`Target ${hello.name} (pid ${peer.pid}): ${reason}`);
      return link.refuse();
    }
    const info = this.#infoOf(hello, peer);
    this.#options.registry.whenRunning(info, () => {
      const target = this.#enter(link, info);
      if (hello.attachment) this.#options.arrivals.arrived(hello.attachment, target);
      const welcome = () => this.#welcome(link, { target, peer, isPassthrough });
      // A target that may be held must be welcome before it is held.
      const joined = this.#options.tracing?.tracer.join(target);
      if (joined) joined.then(() => this.#options.registry.whenReleased(target, welcome));
      else welcome();
    });
  }

  /** Why a target cannot be one of this server's; undefined if it can. */
  #reasonAgainst(
    { collector = "v8", parent }: Hello,
    { isPassthrough, peer }: { isPassthrough: boolean; peer: Peer },
  ): string | undefined {
    const { tracing, registry } = this.#options;
    const starter = typeof parent === "number" ? registry.find(parent) : undefined;
    if (starter && !isSameProcess(starter.info, peer)) return OTHER_PROCESS;
    if (collector === "trace" && !tracing) {
      return "it has probes, and the server counts";
    }
    if (collector === "v8" && !this.#takesCounted(isPassthrough)) return ONLY_PROBES;
    return undefined;
  }

  #welcome(
    link: AgentLink,
    { target, peer, isPassthrough }: { target: Target; peer: Peer; isPassthrough: boolean },
  ): void {
    const { collector, unheld } = target.info;
    const mayBeFree = isPassthrough && collector === "trace";
    const isHeld = !mayBeFree || this.#options.choice === "auto" && unheld === undefined;
    link.welcome({
      id: target.id,
      name: target.info.name,
      holdTimeout: this.#holdTimeout,
      pipe: this.#options.control.makePipe(peer),
      isHeld,
      areas: this.#options.tracing?.tracer.welcome(target) ?? [],
    });
  }

  /** Gives a target's script probes, if the target is measured. */
  async probe(link: Link, source: NewSource): Promise<ProbedSource> {
    const target = this.#links.get(link);
    return target ? await this.#options.tracing?.probe(target, source) ?? {} : {};
  }

  /** Which of the scripts that a target has loaded already are to have probes, by their indices. */
  choose(link: Link, scripts: readonly LoadedScript[]): number[] {
    const target = this.#links.get(link);
    return target ? this.#options.tracing?.choose(target, scripts) ?? [] : [];
  }

  /** How far one of them has come; undefined when all were tried. */
  edited(link: Link, report: LiveReport | undefined): void {
    const target = this.#links.get(link);
    if (target) this.#options.tracing?.live.take(target, report);
  }

  #enter(link: Link, info: TargetInfo): Target {
    const target = this.#options.registry.add(link, info);
    this.#links.set(link, target);
    this.#watchEnd(target);
    this.#warnOfBlind(target);
    link.closed.then(() => {
      this.#links.delete(link);
      this.#options.tracing?.tracer.update();
    });
    return target;
  }

  /** Warns of a target without probes that comes when clients map the memory that probes write into. */
  #warnOfBlind({ id, info: { name, pid, collector } }: Target): void {
    if (collector === "trace") return;
    const blind = blindInstances(this.#options.devices, id);
    if (blind === 0) return;
    this.#options.reporter.warn(
      `Target ${name} (pid ${pid}) has no probes, so ${
        counted(blind, "open instance does", "open instances do")
      } ` +
        "not see it; have the client open kcov again",
    );
  }

  /** For a process that was killed, `ps` shows the signal. A worker thread ends with its process. */
  #watchEnd(target: Target): void {
    const { pid, parent } = target.info;
    const process = parent ? this.#processes.get(parent) : pid > 0 && ProcessEnd.watch(pid);
    if (!process) return;
    this.#processes.set(target, process);
    target.link.closed.then(async (reason) => {
      // A thread that ends by itself says nothing about its process, nor does a process that is let go.
      const isOver = reason !== "detached" && !(parent && reason === "exited");
      const signal = isOver ? await process.signal() : undefined;
      if (signal) target.explainEnd(`killed by ${signal}`);
      if (!parent) process[Symbol.dispose]();
    });
  }

  /** A target that another target has started is named after it. */
  #infoOf(hello: Hello, peer: Peer): TargetInfo {
    const { name, runtime, parent, include, exclude, collector, unheld } = hello;
    const { pid, uid } = peer;
    // In another pid namespace threads have other numbers, too: 0 stands for an unknown one.
    const tid = hello.tid && hello.pid !== pid ? threadId(0) : hello.tid;
    const starter = typeof parent === "number" ? this.#options.registry.find(parent) : undefined;
    const prefix = typeof parent === "string" ? parent : starter?.info.name;
    return {
      name: prefix ? `${prefix}.${name}` : name,
      pid,
      uid,
      runtime: runtime.slice(0, LONGEST_RUNTIME),
      ...(tid !== undefined && { tid }),
      ...(starter && { parent: starter }),
      ...(include && { include }),
      ...(exclude && { exclude }),
      ...(collector && { collector }),
      ...(unheld !== undefined && { unheld: unheld.slice(0, LONGEST_REASON) }),
    };
  }

  /** ms; no hold that goes well takes as long. */
  get #holdTimeout(): number {
    return this.collectTimeout * 2 + 1000;
  }

  /** A target gave up a hold that lasted too long: warns of it. */
  expired(link: AgentLink): void {
    const target = this.#links.get(link);
    if (!target) return;
    const { name, pid } = target.info;
    this.#options.reporter.warn(
      `Target ${name} (pid ${pid}): was held for ${this.#holdTimeout} ms and let go; a read may be stale`,
    );
  }

  /** Takes a target's last coverage; resolves when the target may exit. */
  async farewell(link: Link, coverage: Uint8Array): Promise<void> {
    const target = this.#links.get(link);
    if (target) await this.#options.collector.farewell(target, coverage);
  }
}

/** Whether a target is of the peer's process; for processes that cannot be seen, of the same user. */
function isSameProcess({ pid, uid }: TargetInfo, peer: Peer): boolean {
  return pid === peer.pid && (pid !== 0 || uid === peer.uid);
}
