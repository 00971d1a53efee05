/** A server's numbers at two times, ten seconds apart. */
import type { Snapshot, TargetRow } from "../../src/messages/requests.ts";
import { type Counts, type InstanceStatus, noCounts } from "../../src/kcov/mod.ts";
import { targetId } from "../../src/kcov/ids.ts";
import { nodeId } from "../../src/fuse/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";

const TARGET: TargetRow = {
  ...{ id: targetId(1), name: "api", pid: 4321, runtime: "node v20.20.2", link: "agent" },
  ...{ collector: "v8", hold: "gate", scripts: 12, blocks: 3456, state: "running", note: "" },
};

const COUNTS: Counts = {
  ...{ executions: 300, pcs: 9000, full: 0 },
  ...{ faults: 310, collecting: 620_000, answering: 6200, holding: 31_000 },
};

/** After `COUNTS`: 4,123 executions, 4,200 faults of 2.1 ms, 0.03 ms and 0.2 ms. */
const LATER: Counts = {
  ...{ executions: 4423, pcs: 140_936, full: 2 },
  ...{ faults: 4510, collecting: 9_440_000, answering: 132_200, holding: 871_000 },
};

const ENABLED: InstanceStatus = {
  ...{
    id: nodeId(1001),
    client: { pid: 815, name: "my-fuzzer" },
    state: "enabled",
    owner: threadId(816),
  },
  ...{ mode: "pc", scope: "all", words: 65536 },
};

const OPENED: InstanceStatus = {
  id: nodeId(1007),
  state: "opened",
  scope: [targetId(2), targetId(9)],
  counts: noCounts(),
};

export const BEFORE: Snapshot = {
  uptime: 3722.5,
  server: {
    ...{
      pid: 4711,
      state: "/var/lib/kcovfs",
      version: "0.1.0",
      collector: "v8",
      isPassthrough: false,
    },
  },
  targets: [TARGET],
  instances: [{ ...ENABLED, count: 30, counts: COUNTS }],
  total: { ...COUNTS, executions: 500 },
  coveredBlocks: 1200,
};

export const NOW: Snapshot = {
  ...BEFORE,
  uptime: 3732.5,
  targets: [
    TARGET,
    {
      ...TARGET,
      id: targetId(2),
      name: "api.resize-worker.js",
      state: "late",
      note: "no answer within 5 ms",
    },
    { ...TARGET, id: targetId(3), name: "gone", state: "ended" },
  ],
  instances: [{ ...ENABLED, count: 32, counts: LATER }, OPENED],
  total: { ...LATER, executions: 4623 },
  coveredBlocks: 1204,
};

/** The same where targets write into the memory that clients map. */
export function direct({ total: _, ...rest }: Snapshot): Snapshot {
  const instances = rest.instances.map(({ counts: _, ...instance }) => instance);
  const server = { ...rest.server, collector: "trace", isPassthrough: true } as const;
  const targets = rest.targets.map((target) => ({ ...target, collector: "trace" }));
  return { ...rest, targets, instances, server };
}
