import type { AttachParams } from "./control_client.ts";
import { parseAddress, type TargetAddress } from "./targets/address.ts";
import { connectSession } from "./targets/connect_session.ts";
import type { ConnectOptions, Connectors, TargetHost } from "./targets/connector.ts";
import { type Endpoint, findEndpoint } from "./targets/endpoint.ts";
import { askInside, injectAgent } from "./targets/inject_agent.ts";
import { resolveHost } from "./targets/loopback.ts";
import { closeInspector, openInspector } from "./targets/process_inspector.ts";
import type { Registry } from "./targets/registry.ts";
import type { Target } from "./targets/target.ts";

/** What an attacher wires together. */
export interface AttacherOptions {
  readonly registry: Registry;
  readonly host: TargetHost;
  readonly connectors: Connectors;
  /** The control socket's path. */
  readonly socket: () => string;
}

/** Makes targets of what runs already, and lets targets go. */
export class Attacher {
  readonly #options: AttacherOptions;
  /** Targets by the word that their agents brought back. */
  readonly #arrived = new Map<string, Target>();
  #nextAttachment = 1;
  /** One at a time: Node's inspectors all open at one port. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: AttacherOptions) {
    this.#options = options;
  }

  /** @throws {Error} with one line for the user. */
  attach(params: AttachParams): Promise<Target[]> {
    const attached = this.#turn.then(() => this.#attachNow(params));
    this.#turn = attached.catch(() => {});
    // Whoever has asked sees to a target that waits, should the server go before it has started.
    return attached.then(async (targets) => {
      await Promise.all(targets.map(({ link }) => link.started));
      return targets;
    });
  }

  /** An agent has come that was brought into its process. */
  arrived(attachment: string, target: Target): void {
    this.#arrived.set(attachment, target);
  }

  async #attachNow(params: AttachParams): Promise<Target[]> {
    try {
      return await this.#attach(parseAddress(params.address), params);
    } catch (error) {
      const reason = (error as Error).message.replace(/^Cannot /, "cannot ");
      throw new Error(`Cannot attach to ${params.address}: ${reason}`);
    }
  }

  async #attach(address: TargetAddress, params: AttachParams): Promise<Target[]> {
    const { name, include = [], exclude = [], allowRemote = false, pid, starts } = params;
    const options: ConnectOptions = {
      ...(name && { name }),
      include,
      exclude,
      ...(pid !== undefined && { pid }),
      ...(starts && { starts }),
    };
    if (address.kind === "process") return await this.#attachProcess(address.pid, options);
    const addresses = await resolveHost(address.host, { allowRemote });
    const endpoint = await findEndpoint(addresses, address.port);
    const path = address.kind === "websocket" ? { path: address.path } : {};
    return await this.#connect(endpoint, { ...options, ...path });
  }

  async #attachProcess(pid: number, options: ConnectOptions): Promise<Target[]> {
    if (pid === process.pid) throw new Error("it is the server; start it with --self");
    const { host } = this.#options;
    this.#refuseTwice(pid);
    await host.checkRunning();
    const { endpoint, isOpened } = await openInspector(
      await host.processes.readProcess(pid),
      host.processes,
    );
    return await this.#connect(endpoint, { ...options, pid, isOpened });
  }

  #refuseTwice(pid: number): void {
    const { registry } = this.#options;
    const target = registry.targets.find(({ info, state }) =>
      info.pid === pid && state !== "ended" && !info.parent
    );
    if (target) throw new Error(`it is a target already, by the name of ${target.info.name}`);
  }

  async #connect(endpoint: Endpoint, options: ConnectOptions): Promise<Target[]> {
    const { host, connectors } = this.#options;
    if (endpoint.kind === "node") {
      await host.checkRunning();
      const target = await this.#bringAgent(endpoint, options);
      if (target) return [target];
    }
    const connect = endpoint.kind === "chromium" ? connectors.chromium : connectors.inspector;
    if (!connect) throw new Error(`this version has nothing for ${endpoint.runtime}`);
    return await connect(endpoint, host, options);
  }

  /** Has the agent in a Node process that can have it; undefined for others. */
  async #bringAgent(endpoint: Endpoint, options: ConnectOptions): Promise<Target | undefined> {
    const socketPath = this.#options.socket();
    await using session = await connectSession(webSocketOf(endpoint, options.path));
    const { pid, isLocal, isWaiting } = await askInside(session, socketPath);
    if (!isLocal || isWaiting) return undefined;
    const attachment = String(this.#nextAttachment++);
    try {
      this.#refuseTwice(pid);
      const { name = "" } = options;
      const [include, exclude] = [options.include, options.exclude].map((globs) =>
        globs.length > 0 ? JSON.stringify(globs) : ""
      );
      await injectAgent(session, { socketPath, name, include, exclude, attachment });
      const target = this.#arrived.get(attachment);
      if (!target) throw new Error("its agent did not come");
      return target;
    } finally {
      this.#arrived.delete(attachment);
      // The agent needs it no longer.
      if (options.isOpened) {
        const { processes: reader } = this.#options.host;
        await closeInspector(session, { pid, port: endpoint.port, reader });
      }
    }
  }

  /**
   * Lets a target go; it is as it was before when the promise resolves.
   *
   * @param wanted Its name, or its number.
   * @throws {Error} with one line for the user.
   */
  async detach(wanted: string): Promise<Target> {
    const alive = this.#options.registry.targets.filter(({ state }) => state !== "ended");
    const target = alive.find(({ info }) => info.name === wanted) ??
      alive.find(({ id }) => String(id) === wanted);
    if (!target) {
      throw new Error(`Cannot detach ${wanted}: there is no such target; see 'kcovfs ps'`);
    }
    if (target.link.kind === "self") {
      throw new Error(`Cannot detach ${wanted}: it is the server; start it without --self`);
    }
    await this.#options.registry.untilReleased(target);
    await target.link[Symbol.asyncDispose]();
    return target;
  }
}

/** The WebSocket of a Node process, which has one. */
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
