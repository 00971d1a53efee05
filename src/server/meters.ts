import { type Counts, type Device, type InstanceStatus, noCounts } from "../kcov/mod.ts";
import type { CoveredBlocks } from "../symbols/covered_blocks.ts";
import type { Tracing } from "./trace/probed_scripts.ts";

/** Measurements in the form that `Snapshot` has. */
export interface Measurements {
  readonly uptime: number;
  readonly instances: readonly InstanceStatus[];
  readonly total: Counts;
  readonly coveredBlocks: number;
}

export interface MetersOptions {
  readonly devices: ReadonlySet<Device>;
  /** The blocks that were executed since the server began. */
  readonly covered: Pick<CoveredBlocks, "size">;
  /** Reads the marks of probes; absent where no target has probes. */
  readonly tracing?: Pick<Tracing, "readMarks"> | undefined;
}

/** The numbers of a server, from its beginning on. */
export class Meters {
  /** The devices add to these counts. */
  readonly total = noCounts();
  readonly #options: MetersOptions;
  readonly #began = performance.now();

  constructor(options: MetersOptions) {
    this.#options = options;
  }

  async take(): Promise<Measurements> {
    const { devices, covered, tracing } = this.#options;
    const statuses = await Promise.all([...devices].map((device) => device.statuses()));
    tracing?.readMarks();
    return {
      uptime: (performance.now() - this.#began) / 1000,
      instances: statuses.flat(),
      total: { ...this.total },
      coveredBlocks: covered.size,
    };
  }
}
