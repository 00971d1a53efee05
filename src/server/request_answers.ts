import type { Attacher } from "./attacher.ts";
import type { Peer } from "../base/peer.ts";
import type { Collector } from "./collector.ts";
import type {
  AttachParams,
  CoveredParams,
  CoveredTarget,
  DetachParams,
  ServerFacts,
  Snapshot,
  TargetRow,
  UnprobedScript,
} from "../messages/control_client.ts";
import { coveredTargets } from "../symbols/covered_record.ts";
import type { CoveredBlocks } from "../symbols/covered_blocks.ts";
import type { Device } from "../kcov/mod.ts";
import type { Meters } from "./meters.ts";
import { mayControl } from "./peer_rights.ts";
import { targetRow } from "./target_row.ts";
import type { Registry } from "../targets/registry.ts";
import type { Target } from "../targets/target.ts";
import type { Tracing } from "./tracing.ts";

/** The parts of the server that requests read or change. */
export interface RequestAnswersOptions {
  readonly registry: Registry;
  readonly collector: Collector;
  readonly covered: CoveredBlocks;
  readonly tracing: Tracing | undefined;
  readonly attacher: Attacher;
  /** Known when the kernel has said what it can. Nothing is measured before. */
  readonly facts: Promise<ServerFacts>;
  readonly devices: Iterable<Pick<Device, "refresh">>;
  readonly meters: Pick<Meters, "take">;
  /** Whom the device and the control socket belong to. */
  readonly uid: number;
}

const OTHER_VERSION = "the server does not know this request; it is of another version";

/** Answers what commands ask a server: see `ControlRequests`. */
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
    const { kind, params } = (request ?? {}) as {
      kind?: unknown;
      params?: unknown;
    };
    switch (kind) {
      case "targets":
        return this.rows();
      case "unprobed":
        return await this.#unprobed();
      case "covered":
        return await this.#covered(checkCovered(params), peer);
      case "server":
        return await facts;
      case "status":
        return await this.snapshot();
      case "attach":
        return this.rows(
          await attacher.attach(checkAttach(params), known(peer)),
        );
      case "detach":
        return this.rows([
          await attacher.detach(checkDetach(params).target, known(peer)),
        ]);
    }
    throw new Error(OTHER_VERSION);
  }

  /** What `top` and `kcovfs/metrics` are made of. */
  async snapshot(): Promise<Snapshot> {
    const { facts, meters } = this.#options;
    const server = await facts;
    const { total, ...rest } = await meters.take();
    return { server, targets: this.rows(), ...rest, ...(!server.isDirect && { total }) };
  }

  /** Targets as `ps` shows them; all, unless some are named. */
  rows(targets: readonly Target[] = this.#options.registry.targets): TargetRow[] {
    const { collector, tracing } = this.#options;
    return targets.map((target) => {
      const isProbed = target.info.collector === "trace";
      const counts = isProbed ? tracing?.countsOf(target) : undefined;
      const live = tracing?.live.progressOf(target);
      return targetRow(target, counts ?? collector.coverageOf(target).counts, live);
    });
  }

  /** What is told since the last reset is the same for all who ask, so not all of them may reset. */
  async #covered(
    { since, isReset }: CoveredParams,
    peer: Peer | undefined,
  ): Promise<CoveredTarget[]> {
    const { covered, uid } = this.#options;
    if (isReset && !mayControl(known(peer), uid)) {
      throw new Error(
        `only root, the server's user and uid ${uid}, whose device it is, may reset`,
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
  throw new Error(
    "this server's runtime cannot tell who asks; serve with --mode 600, or on Node",
  );
}

function checkCovered(params: unknown): CoveredParams {
  const { since, isReset } = (params ?? {}) as Partial<CoveredParams>;
  if (
    (since === "start" || since === "reset") && typeof isReset === "boolean"
  ) {
    return { since, isReset };
  }
  throw new Error(OTHER_VERSION);
}

function checkDetach(params: unknown): DetachParams {
  const { target } = (params ?? {}) as Partial<DetachParams>;
  if (typeof target === "string") return { target };
  throw new Error(OTHER_VERSION);
}

/** Of how many modules a Deno can wait for us. */
const MOST_STARTS = 100;

function checkAttach(params: unknown): AttachParams {
  const given = (params ?? {}) as AttachParams;
  const {
    address,
    name = "",
    include = [],
    exclude = [],
    pid = 0,
    starts = 0,
    attachPause = 0,
  } = given;
  const isRight = [address, name].every((text) => typeof text === "string") &&
    [include, exclude].every(isStrings) &&
    [pid, starts, attachPause].every((number) => Number.isSafeInteger(number) && number >= 0) &&
    starts <= MOST_STARTS;
  if (isRight) return given;
  throw new Error(OTHER_VERSION);
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) &&
    value.every((item) => typeof item === "string");
}
