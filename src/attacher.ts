import type { AttachParams } from "./control_client.ts";
import { parseAddress, type TargetAddress } from "./targets/address.ts";
import type { ConnectOptions, Connectors, TargetHost } from "./targets/connector.ts";
import { type Endpoint, findEndpoint } from "./targets/endpoint.ts";
import { resolveHost } from "./targets/loopback.ts";
import type { Registry } from "./targets/registry.ts";
import type { Target } from "./targets/target.ts";

/** What an attacher wires together. */
export interface AttacherOptions {
  readonly registry: Registry;
  readonly host: TargetHost;
  readonly connectors: Connectors;
}

/** Makes targets of what runs already, and lets targets go. */
export class Attacher {
  readonly #options: AttacherOptions;

  constructor(options: AttacherOptions) {
    this.#options = options;
  }

  /** @throws {Error} with one line for the user. */
  async attach(params: AttachParams): Promise<Target[]> {
    try {
      return await this.#attach(parseAddress(params.address), params);
    } catch (error) {
      const reason = (error as Error).message.replace(/^Cannot /, "cannot ");
      throw new Error(`Cannot attach to ${params.address}: ${reason}`);
    }
  }

  async #attach(address: TargetAddress, params: AttachParams): Promise<Target[]> {
    const { name, include = [], exclude = [], allowRemote = false, pid, isStarting } = params;
    const options: ConnectOptions = {
      ...(name && { name }),
      include,
      exclude,
      ...(pid !== undefined && { pid }),
      ...(isStarting && { isStarting }),
    };
    if (address.kind === "process") {
      throw new Error("not yet");
    }
    const addresses = await resolveHost(address.host, { allowRemote });
    const endpoint = await findEndpoint(addresses, address.port);
    const path = address.kind === "websocket" ? { path: address.path } : {};
    return await this.#connect(endpoint, { ...options, ...path });
  }

  async #connect(endpoint: Endpoint, options: ConnectOptions): Promise<Target[]> {
    const { host, connectors } = this.#options;
    const connect = endpoint.kind === "chromium" ? connectors.chromium : connectors.inspector;
    if (!connect) throw new Error(`this version has nothing for ${endpoint.runtime}`);
    return await connect(endpoint, host, options);
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
    await this.#options.registry.untilRunning();
    await target.link[Symbol.asyncDispose]();
    return target;
  }
}
