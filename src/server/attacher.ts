import { randomUUID } from "node:crypto";
import type { Peer } from "../base/peer.ts";
import type { AttachParams } from "../messages/requests.ts";
import { parseAddress } from "../targets/attach/address.ts";
import { connectSession } from "../targets/cdp/connect_session.ts";
import type { ConnectOptions, Connectors, TargetHost } from "../targets/attach/connector.ts";
import { type Endpoint, findEndpoint } from "../targets/cdp/endpoint.ts";
import { askInside, injectAgent } from "../targets/attach/inject_agent.ts";
import { isServerUser, mayControl } from "./peer_rights.ts";
import { listenerOwner } from "../targets/attach/listener_owner.ts";
import { isLoopback, resolveHost } from "../targets/attach/loopback.ts";
import { closeInspector, openInspector } from "../targets/attach/process_inspector.ts";
import type { Registry } from "../targets/registry.ts";
import type { Target } from "../targets/target.ts";
import { UserError } from "../base/user_error.ts";

export interface AttacherOptions {
  readonly registry: Registry;
  readonly host: TargetHost;
  readonly connectors: Connectors;
  /** The control socket's path. */
  readonly socket: string;
  readonly arrivals: Arrivals;
  /** Whether it connects to addresses of other machines. */
  readonly allowRemote: boolean;
}

/** The options of an attachment, and who it is for. */
interface Attachment {
  readonly options: ConnectOptions;
  readonly peer: Peer;
  /** The user who owns the process, if known. */
  readonly owner: number | undefined;
}

/** ms for which giving a script that runs probes may stop a program, unless the user says. */
const ATTACH_PAUSE = 1000;
const NO_PROBES = "the server gives none probes; start it with --collector auto or trace";
const ONLY_OWNER =
  "only root, the server's user and the user whose process it is may do that; ask one of them";

/** The agents that are brought into processes, by the words that they bring back. */
export class Arrivals {
  readonly #targets = new Map<string, Target | undefined>();

  /** An agent is sent. */
  expect(attachment: string): void {
    this.#targets.set(attachment, undefined);
  }

  /** An agent has come. Anybody may send such a word: only one that somebody waits for is kept. */
  arrived(attachment: string, target: Target): void {
    if (this.#targets.has(attachment)) this.#targets.set(attachment, target);
  }

  /** The target that an agent has become, once it has come. */
  find(attachment: string): Target | undefined {
    return this.#targets.get(attachment);
  }

  forget(attachment: string): void {
    this.#targets.delete(attachment);
  }
}

/** Makes targets of processes that run already, and lets targets go. */
export class Attacher {
  readonly #options: AttacherOptions;
  /** One at a time: Node's inspectors all open at one port. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: AttacherOptions) {
    this.#options = options;
  }

  /**
   * @param peer Who asks.
   * @throws {Error} with one line for the user.
   */
  attach(params: AttachParams, peer: Peer): Promise<Target[]> {
    const attached = this.#turn.then(() => this.#attachNow(params, peer));
    this.#turn = attached.catch(() => {});
    // The caller handles a target that waits, if the server goes before the target has started.
    return attached.then(async (targets) => {
      await Promise.all(targets.map(({ link }) => link.started));
      return targets;
    });
  }

  async #attachNow(params: AttachParams, peer: Peer): Promise<Target[]> {
    try {
      return await this.#attach(params, peer);
    } catch (error) {
      const reason = (error as Error).message.replace(/^Cannot /, "cannot ");
      throw new UserError(`Cannot attach to ${params.address}: ${reason}`, { cause: error });
    }
  }

  async #attach(params: AttachParams, peer: Peer): Promise<Target[]> {
    const { name, include = [], exclude = [], starts, attachPause, collector } = params;
    const address = parseAddress(params.address);
    const options: ConnectOptions = {
      ...(name && { name }),
      include,
      exclude,
      ...(starts && { starts }),
      ...(attachPause !== undefined && { attachPause }),
      ...(collector && { collector }),
    };
    if (address.kind === "process") {
      return await this.#attachProcess(address.pid, {
        options,
        peer,
        owner: undefined,
      });
    }
    const { host, port } = address;
    // Others may not even make the server look for a host.
    const owner = await listenerOwner(port);
    if (!mayControl(peer, owner)) throw new Error(ONLY_OWNER);
    const allowRemote = this.#options.allowRemote && isServerUser(peer);
    const addresses = await resolveHost(host, { allowRemote });
    const endpoint = await findEndpoint(addresses, port);
    const isLocal = isLoopback(endpoint.address);
    const pid = isLocal ? await this.#listeningAt(port, params.pid) : undefined;
    const path = address.kind === "websocket" ? { path: address.path } : {};
    return await this.#connect(endpoint, {
      options: { ...options, ...(pid !== undefined && { pid }), ...path },
      peer,
      owner: isLocal ? owner : undefined,
    });
  }

  async #attachProcess(pid: number, attachment: Attachment): Promise<Target[]> {
    const { peer, options } = attachment;
    if (pid === process.pid) {
      throw new Error("it is the server; start it with --self");
    }
    // This is refused before anything of the process changes.
    const { host } = this.#options;
    const facts = await host.processes.readProcess(pid);
    if (!mayControl(peer, facts.uid)) throw new Error(ONLY_OWNER);
    this.#refuseTwice(pid);
    const { endpoint, isOpened } = await openInspector(facts, host.processes);
    const whole = {
      options: { ...options, pid, isOpened },
      peer,
      owner: facts.uid,
    };
    if (!isOpened) return await this.#connect(endpoint, whole);
    const close = () => this.#close(endpoint, pid);
    try {
      const targets = await this.#connect(endpoint, whole);
      // A target without the agent needs the inspector as long as it is a target.
      const others = targets.filter(({ link }) => link.kind !== "agent");
      if (others.length > 0) {
        Promise.all(others.map(({ link }) => link.closed)).then(close);
      }
      return targets;
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** Closes an inspector that was opened for us, if it is still open. Never rejects. */
  async #close(endpoint: Endpoint, pid: number): Promise<void> {
    try {
      const session = await connectSession(webSocketOf(endpoint, undefined));
      const { processes: reader } = this.#options.host;
      const isClosed = await closeInspector(session, { pid, port: endpoint.port, reader });
      this.#checkClosed(isClosed, pid);
    } catch {
      // Nobody listens there any more.
    }
  }

  #checkClosed(isClosed: boolean, pid: number): void {
    if (isClosed) return;
    this.#options.host.reporter.warn(
      `Cannot close the inspector of process ${pid}: others can debug it until it has a moment for that`,
    );
  }

  /** The process of this number, if it does listen at the port. */
  async #listeningAt(port: number, pid: number | undefined): Promise<number | undefined> {
    if (pid === undefined) return undefined;
    const listeners = await this.#options.host.processes.listenersOf(pid);
    return listeners.some((listener) => listener.port === port) ? pid : undefined;
  }

  #refuseTwice(pid: number): void {
    const { registry } = this.#options;
    const target = registry.targets.find(({ info, state }) =>
      info.pid === pid && state !== "ended" && !info.parent
    );
    if (target) throw new Error(`it is a target already, by the name of ${target.info.name}`);
  }

  async #connect(
    endpoint: Endpoint,
    attachment: Attachment,
  ): Promise<Target[]> {
    const { host, connectors } = this.#options;
    const { options, owner } = attachment;
    const target = await this.#withAgent(endpoint, attachment);
    if (target) return [target];
    const connect = endpoint.kind === "chromium" ? connectors.chromium : connectors.inspector;
    if (!connect) {
      throw new Error(`this version has nothing for ${endpoint.runtime}`);
    }
    await host.checkWithoutAgent();
    return await connect(endpoint, hostFor(host, owner), options);
  }

  /** Brings the agent where that can be; a Deno needs it for probes only, its inspector counts without. */
  async #withAgent(endpoint: Endpoint, attachment: Attachment): Promise<Target | undefined> {
    const { host } = this.#options;
    const { collector = host.collector } = attachment.options;
    if (collector === "trace" && !host.hasProbes) throw new Error(NO_PROBES);
    if (collector === "v8") await host.checkWithoutAgent();
    if (endpoint.kind === "node") return await this.#bringAgent(endpoint, attachment);
    const isWaiting = (attachment.options.starts ?? 0) > 0;
    if (endpoint.kind !== "deno" || collector !== "trace" || isWaiting) return undefined;
    try {
      return await this.#bringAgent(endpoint, attachment);
    } catch (error) {
      const mayCount = await host.checkWithoutAgent().then(() => true, () => false);
      if (!mayCount) throw error;
      return undefined;
    }
  }

  /** Brings the agent into a Node process that can have it; undefined for others. */
  async #bringAgent(
    endpoint: Endpoint,
    { options, peer }: Attachment,
  ): Promise<Target | undefined> {
    const { socket: socketPath, arrivals } = this.#options;
    await using session = await connectSession(webSocketOf(endpoint, options.path));
    const { pid, isLocal, isWaiting } = await askInside(session, socketPath);
    if (!isLocal || isWaiting) return undefined;
    // The word is secret, so that nobody else can come in the agent's place.
    const attachment = randomUUID();
    arrivals.expect(attachment);
    try {
      this.#refuseTwice(pid);
      const { name = "" } = options;
      const [include, exclude] = [options.include, options.exclude].map((globs) =>
        globs.length > 0 ? JSON.stringify(globs) : ""
      );
      const { attachPause = ATTACH_PAUSE, collector = this.#options.host.collector } = options;
      const how = { collector, attachPause };
      await injectAgent(session, { socketPath, name, include, exclude, attachment, ...how });
      const target = arrivals.find(attachment);
      if (!target) throw new Error("its agent did not come");
      if (!mayControl(peer, target.info.uid)) {
        await target.link[Symbol.asyncDispose]();
        throw new Error(ONLY_OWNER);
      }
      return target;
    } finally {
      arrivals.forget(attachment);
      // The agent no longer needs the inspector.
      if (options.isOpened) {
        const { processes: reader } = this.#options.host;
        const place = { pid: options.pid ?? pid, port: endpoint.port, reader };
        this.#checkClosed(await closeInspector(session, place), place.pid);
      }
    }
  }

  /**
   * Lets a target go; it is as it was before when the promise resolves.
   *
   * @param wanted Its name, or its number.
   * @param peer Who asks.
   * @throws {Error} with one line for the user.
   */
  async detach(wanted: string, peer: Peer): Promise<Target> {
    const alive = this.#options.registry.targets.filter(({ state }) => state !== "ended");
    const target = alive.find(({ info }) => info.name === wanted) ??
      alive.find(({ id }) => String(id) === wanted);
    if (!target) {
      throw new UserError(
        `Cannot detach ${wanted}: there is no such target; see 'kcovfs ps'`,
      );
    }
    if (!mayControl(peer, target.info.uid)) {
      throw new UserError(`Cannot detach ${wanted}: ${ONLY_OWNER}`);
    }
    if (target.link.kind === "self") {
      throw new UserError(`Cannot detach ${wanted}: it is the server; start it without --self`);
    }
    await this.#options.registry.untilReleased(target);
    await target.link[Symbol.asyncDispose]();
    return target;
  }
}

/** Adds targets as those of a user. */
function hostFor(host: TargetHost, owner: number | undefined): TargetHost {
  if (owner === undefined) return host;
  return {
    add: (link, info) => host.add(link, { ...info, uid: owner }),
    collector: host.collector,
    hasProbes: host.hasProbes,
    checkWithoutAgent: () => host.checkWithoutAgent(),
    farewell: (link, coverage) => host.farewell(link, coverage),
    collectTimeout: host.collectTimeout,
    processes: host.processes,
    reporter: host.reporter,
  };
}

/** The WebSocket of a Node process; each has one. */
function webSocketOf({ inspectables }: Endpoint, path: string | undefined): string {
  const [first] = inspectables;
  if (!first) throw new Error("its inspector has nothing to connect to");
  if (path === undefined) return first.webSocketUrl;
  const wanted = inspectables.find(({ webSocketUrl }) => new URL(webSocketUrl).pathname === path);
  if (!wanted) {
    throw new Error(`its inspector has no ${path}; the right one is ${first.webSocketUrl}`);
  }
  return wanted.webSocketUrl;
}
