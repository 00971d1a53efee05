import type { Attacher } from "./attacher.ts";
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
} from "./control_client.ts";
import { coveredTargets } from "./covered_record.ts";
import type { CoveredBlocks } from "./coverage/covered_blocks.ts";
import type { Measurements } from "./meters.ts";
import { targetRow } from "./report/target_row.ts";
import type { Registry } from "./targets/registry.ts";
import type { Target } from "./targets/target.ts";
import type { Tracing } from "./tracing.ts";

/** What is told, and acted on. */
export interface RequestAnswersOptions {
  readonly registry: Registry;
  readonly collector: Collector;
  readonly covered: CoveredBlocks;
  /** Has what was executed by now marked as covered. `isReset`: what comes after it is to be told apart. */
  readonly refresh: (options: { isReset: boolean }) => Promise<void>;
  readonly tracing: Tracing | undefined;
  readonly attacher: Attacher;
  readonly facts: () => Promise<ServerFacts>;
  /** What the devices have counted. */
  readonly measure: () => Promise<Measurements>;
}

/** Answers what commands ask a server: see `ControlRequests`. */
export class RequestAnswers {
  readonly #options: RequestAnswersOptions;

  constructor(options: RequestAnswersOptions) {
    this.#options = options;
  }

  /** @throws what the command is to be told. */
  async answer(request: unknown): Promise<unknown> {
    const { attacher, facts } = this.#options;
    const { kind, params } = (request ?? {}) as { kind?: unknown; params?: unknown };
    switch (kind) {
      case "targets":
        return this.rows();
      case "unprobed":
        return await this.#unprobed();
      case "covered":
        return await this.#covered(params as CoveredParams);
      case "server":
        return await facts();
      case "status":
        return await this.snapshot();
      case "attach":
        return this.rows(await attacher.attach(params as AttachParams));
      case "detach":
        return this.rows([await attacher.detach((params as DetachParams).target)]);
    }
    throw new Error("the server does not know this request; it is of another version");
  }

  /** What `top` and `kcovfs/metrics` are made of. */
  async snapshot(): Promise<Snapshot> {
    const { facts, measure } = this.#options;
    const server = await facts();
    const { total, ...rest } = await measure();
    return { server, targets: this.rows(), ...rest, ...(!server.isDirect && { total }) };
  }

  /** Targets as `ps` shows them; all, unless some are named. */
  rows(targets: readonly Target[] = this.#options.registry.targets): TargetRow[] {
    const { collector, tracing } = this.#options;
    return targets.map((target) => {
      const isProbed = target.info.collector === "trace";
      const counts = isProbed ? tracing?.countsOf(target) : undefined;
      return targetRow(target, counts ?? collector.coverageOf(target).counts);
    });
  }

  async #covered({ since, isReset }: CoveredParams): Promise<CoveredTarget[]> {
    const { covered, refresh } = this.#options;
    await refresh({ isReset });
    const targets = coveredTargets(covered, since);
    if (isReset) covered.reset();
    return targets;
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
