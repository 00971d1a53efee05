import type { Hello } from "./agent/protocol.ts";
import type { Collector } from "./collector.ts";
import type { AgentLink } from "./targets/agent_link.ts";
import type { TargetHost } from "./targets/connector.ts";
import type { Link } from "./targets/link.ts";
import type { Registry } from "./targets/registry.ts";
import type { Target, TargetInfo } from "./targets/target.ts";

/** What an admission wires together. */
export interface AdmissionOptions {
  readonly registry: Registry;
  /** Takes what targets bring when they exit. */
  readonly collector: Collector;
  /** Makes a FIFO for an agent to be held at, and tells its path. */
  readonly makePipe: () => string;
  /** An agent has come that was brought into its process. */
  readonly onArrived: (attachment: string, target: Target) => void;
  /** Whether anybody traces. */
  readonly isArmed: () => boolean;
  readonly warn: (line: string) => void;
}

/** Lets in what comes as a target, by the agent or by a connector, and hears it out when it goes. */
export class Admission implements TargetHost {
  readonly #options: AdmissionOptions;
  /** The targets that may bring a last coverage. */
  readonly #links = new Map<Link, Target>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get collectTimeout(): number {
    return this.#options.registry.collectTimeout;
  }

  warn(line: string): void {
    this.#options.warn(line);
  }

  /** Adds a target that has no agent; resolves when it is added, before which it must not run. */
  add(link: Link, info: TargetInfo): Promise<Target> {
    return new Promise((resolve) =>
      this.#options.registry.whenRunning(info, () => {
        link.setArmed(this.#options.isArmed());
        resolve(this.#enter(link, info));
      })
    );
  }

  /**
   * Adds a target that has the agent, and welcomes it. A target may start when no other is held, for it
   * would run unheld.
   */
  admit(link: AgentLink, hello: Hello): void {
    const info = this.#infoOf(hello);
    this.#options.registry.whenRunning(info, () => {
      const target = this.#enter(link, info);
      if (hello.attachment) this.#options.onArrived(hello.attachment, target);
      link.welcome({
        id: target.id,
        name: target.info.name,
        isArmed: this.#options.isArmed(),
        holdTimeout: this.#holdTimeout,
        pipe: this.#options.makePipe(),
      });
    });
  }

  #enter(link: Link, info: TargetInfo): Target {
    const target = this.#options.registry.add(link, info);
    this.#links.set(link, target);
    link.closed.then(() => this.#links.delete(link));
    return target;
  }

  /** What another target has started is named after it. */
  #infoOf({ name, pid, runtime, parent, tid, include, exclude }: Hello): TargetInfo {
    const starter = typeof parent === "number" ? this.#options.registry.find(parent) : undefined;
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
    return this.collectTimeout * 2 + 1000;
  }

  /** A target gave up a hold that lasted too long: says so. */
  expired(link: AgentLink): void {
    const { name, pid } = this.#links.get(link)!.info;
    this.#options.warn(
      `Target ${name} (pid ${pid}): was held for ${this.#holdTimeout} ms and let go; a read may be stale`,
    );
  }

  /** Takes a target's last coverage; resolves when the target may exit. */
  async farewell(link: Link, coverage: Uint8Array): Promise<void> {
    const target = this.#links.get(link);
    if (target) await this.#options.collector.farewell(target, coverage);
  }

  /**
   * Tells all whether anybody traces: targets whose exit nobody waits for need not hand over their last
   * coverage.
   */
  arm(): void {
    const isArmed = this.#options.isArmed();
    for (const link of this.#links.keys()) link.setArmed(isArmed);
  }
}
