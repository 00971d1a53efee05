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
  /** Known when the kernel has said what it can. Nothing is measured before. */
  readonly facts: Promise<ServerFacts>;
  readonly devices: Iterable<Pick<Device, "refresh" | "blindTo">>;
  readonly meters: Pick<Meters, "take">;
  /** Whom the device and the control socket belong to. */
  readonly uid: number;
}

/** Answers what commands ask a server: see `requests.ts`. */
export class RequestAnswers {
  readonly #options: RequestAnswersOptions;

  constructor(options: RequestAnswersOptions) {
    this.#options = options;
  }

  /**
   * @param request As it came: nothing is known of it.
   * @param peer Who asks. Whoever can connect may ask for what there is; what changes something asks for
   * more. Undefined where nobody can tell: then nothing is changed.
   * @throws what the command is to be told.
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

  /** What `top` and `kcovfs/metrics` are made of. */
  async snapshot(): Promise<Snapshot> {
    const { facts, meters } = this.#options;
    const server = await facts;
    const { total, ...rest } = await meters.take();
    const isWritten = server.isPassthrough && this.#options.tracing?.tracer.canWrite("all");
    return { server, targets: this.rows(), ...rest, ...(!isWritten && { total }) };
  }

  /** Targets as `ps` shows them; all, unless some are named. */
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

  /** Which instances do not see a target that has no probes, if there are any. */
  #blindness({ id, state }: Target): string | undefined {
    if (state === "ended") return undefined;
    const blind = blindInstances(this.#options.devices, id);
    const instances = counted(blind, "instance does", "instances do");
    return blind > 0 ? `${instances} not see it: they were opened before it came` : undefined;
  }

  /** What is told since the last reset is the same for all who ask, so not all of them may reset. */
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

  /** Has what was executed by now marked as covered. After a reset, what comes is told apart from it. */
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

/** @throws when nobody can tell who asks. */
function known(peer: Peer | undefined): Peer {
  if (peer) return peer;
  throw new UserError(
    "Cannot do that: this server's runtime cannot tell who asks; serve with --mode 600, or on Node",
  );
}

/** @throws what a command of another version is to be told. */
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
