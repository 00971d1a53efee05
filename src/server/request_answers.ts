import { blindInstances } from "./blind_instances.ts";
import type { Attacher } from "./attacher.ts";
import type { Peer } from "../base/peer.ts";
import type { Collector } from "./collector.ts";
import { check, ShapeError } from "../base/shape.ts";
import {
  type CoveredParams,
  type CoveredTarget,
  REQUEST,
  type Request,
  type ServerFacts,
  type Snapshot,
  type TargetRow,
  type UnprobedScript,
} from "../messages/requests.ts";
import { coveredTargets } from "../symbols/covered_record.ts";
import type { CoveredBlocks } from "../symbols/covered_blocks.ts";
import type { Device } from "../kcov/mod.ts";
import { counted } from "../report/display_text.ts";
import type { Meters } from "./meters.ts";
import { mayControl } from "./peer_rights.ts";
import { targetRow } from "./target_row.ts";
import type { Registry } from "../targets/registry.ts";
import type { Target } from "../targets/target.ts";
import type { Tracing } from "./trace/probed_scripts.ts";
import { UserError } from "../base/user_error.ts";

/** The parts of the server that requests read or change. */
export interface RequestAnswersOptions {
  readonly registry: Registry;
  readonly collector: Collector;
  readonly covered: CoveredBlocks;
  readonly tracing: Tracing | undefined;
  readonly attacher: Attacher;
  /** Known when the kernel has reported its features. Nothing is measured before. */
  readonly facts: Promise<ServerFacts>;
  readonly devices: Iterable<Pick<Device, "refresh" | "blindTo">>;
  readonly meters: Pick<Meters, "take">;
  /** The owner of the device and of the control socket. */
  readonly uid: number;
}

/** Answers the commands' requests: see `requests.ts`. */
export class RequestAnswers {
  readonly #options: RequestAnswersOptions;

  constructor(options: RequestAnswersOptions) {
    this.#options = options;
  }

  /**
   * @param request As it came: it is not checked yet.
   * @param peer Who asks. Whoever can connect may read; to change something takes more. Undefined if nobody
   * can tell who asks: then nothing is changed.
   * @throws an error whose message the command is to show.
   */
  async answer(request: unknown, peer?: Peer): Promise<unknown> {
    const { attacher, facts } = this.#options;
    const asked = checkRequest(request);
    switch (asked.kind) {
      case "targets":
        return this.rows();
      case "unprobed":
        return await this.#unprobed();
      case "covered":
        return await this.#covered(asked.params, peer);
      case "server":
        return await facts;
      case "status":
        return await this.snapshot();
      case "attach":
        return this.rows(await attacher.attach(asked.params, known(peer)));
      case "detach":
        return this.rows([await attacher.detach(asked.params.target, known(peer))]);
    }
  }

  /** The data of `top` and `kcovfs/metrics`. */
  async snapshot(): Promise<Snapshot> {
    const { facts, meters } = this.#options;
    const server = await facts;
    const { total, ...rest } = await meters.take();
    const isWritten = server.isPassthrough && this.#options.tracing?.tracer.canWrite("all");
    return { server, targets: this.rows(), ...rest, ...(!isWritten && { total }) };
  }

  /** The rows of `ps`: all targets, unless some are given. */
  rows(targets: readonly Target[] = this.#options.registry.targets): TargetRow[] {
    const { collector, tracing } = this.#options;
    return targets.map((target) => {
      const isProbed = target.info.collector === "trace";
      const counts = isProbed ? tracing?.countsOf(target) : undefined;
      return targetRow(target, {
        counts: counts ?? collector.coverageOf(target).counts,
        unseen: isProbed ? tracing?.tracer.whyUnseen(target) : this.#blindness(target),
        live: tracing?.live.progressOf(target),
      });
    });
  }

  /** A line on the instances that do not see a target without probes; undefined if there are none. */
  #blindness({ id, state }: Target): string | undefined {
    if (state === "ended") return undefined;
    const blind = blindInstances(this.#options.devices, id);
    const instances = counted(blind, "instance does", "instances do");
    return blind > 0
      ? `${instances} not see it: ${blind === 1 ? "it was" : "they were"} opened before it came`
      : undefined;
  }

  /** The blocks since the last reset are the same for all who ask, so not everyone may reset. */
  async #covered(
    { since, isReset }: CoveredParams,
    peer: Peer | undefined,
  ): Promise<CoveredTarget[]> {
    const { covered, uid } = this.#options;
    if (isReset && !mayControl(known(peer), uid)) {
      throw new UserError(
        `Cannot reset: only root, the server's user and uid ${uid}, whose device it is, may reset`,
      );
    }
    await this.#refresh(isReset);
    const targets = coveredTargets(covered, since);
    if (isReset) covered.reset();
    return targets;
  }

  /** Marks everything executed by now as covered. After a reset, later blocks can be told apart from it. */
  async #refresh(isReset: boolean): Promise<void> {
    const { facts, tracing, devices } = this.#options;
    await facts;
    await tracing?.refresh({ isReset });
    for (const device of devices) await device.refresh();
  }

  async #unprobed(): Promise<UnprobedScript[]> {
    const { registry, tracing } = this.#options;
    const alive = registry.targets.filter(({ state }) => state !== "ended");
    const lists = alive.map(async (target) => {
      const scripts = await tracing?.unprobed(target) ?? [];
      return scripts.map((script) => ({ target: target.info.name, ...script }));
    });
    return (await Promise.all(lists)).flat();
  }
}

/** @throws if nobody can tell who asks. */
function known(peer: Peer | undefined): Peer {
  if (peer) return peer;
  throw new UserError(
    "Cannot do that: this server's runtime cannot tell who asks; serve with --mode 600, or on Node",
  );
}

/** @throws the error for a command of another version. */
function checkRequest(request: unknown): Request {
  try {
    return check(REQUEST, request);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new UserError(
      `Cannot take this request: ${error.message}; is the server of another version?`,
    );
  }
}
