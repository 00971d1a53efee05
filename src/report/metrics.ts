import type { Snapshot, TargetRow } from "../messages/requests.ts";
import type { Counts, InstanceStatus } from "../kcov/mod.ts";
import { formatOpenMetrics, type MetricFamily, stateSamples } from "./open_metrics.ts";
import { livingTargets } from "./living_targets.ts";

type Labels = Record<string, string | number>;
type Counted = { readonly labels: Labels; readonly counts: Counts };

const TARGET_STATES = ["running", "held", "late"];
const INSTANCE_STATES = ["opened", "initialized", "enabled"];
const STAGES = ["collecting", "answering", "holding"] as const;

/** The text of `kcovfs/metrics`. */
export function formatMetrics(snapshot: Snapshot): string {
  return formatOpenMetrics([
    ...serverFamilies(snapshot),
    ...targetFamilies(livingTargets(snapshot)),
    ...instanceFamilies(snapshot.instances),
  ]);
}

function serverFamilies({ uptime, server, total, coveredBlocks }: Snapshot): MetricFamily[] {
  const { version, collector } = server;
  return [
    {
      ...{ name: "kcovfs_build", type: "info", help: "The server." },
      samples: [{ labels: { version, collector }, value: 1 }],
    },
    {
      ...{ name: "kcovfs_uptime_seconds", type: "gauge", unit: "seconds" },
      help: "How long the server has run.",
      samples: [{ value: uptime }],
    },
    {
      ...{ name: "kcovfs_covered_blocks", type: "counter" },
      help: "Blocks that targets have executed since the server has begun, each once.",
      samples: coveredBlocks === undefined ? [] : [{ value: coveredBlocks }],
    },
    ...countFamilies("kcovfs", total ? [{ labels: {}, counts: total }] : []),
  ];
}

function targetFamilies(targets: readonly TargetRow[]): MetricFamily[] {
  const gauge = (name: "scripts" | "blocks", help: string): MetricFamily => ({
    ...{ name: `kcovfs_target_${name}`, type: "gauge", help },
    samples: targets.map((target) => ({ labels: { target: target.name }, value: target[name] })),
  });
  const family = "kcovfs_target_state";
  return [
    {
      ...{ name: "kcovfs_target", type: "info", help: "A target that lives." },
      samples: targets.map(({ name: target, id, pid, runtime, link, collector, hold }) => ({
        labels: { target, id, pid, runtime, link, collector, hold },
        value: 1,
      })),
    },
    {
      ...{ name: family, type: "stateset", help: "What a target does." },
      samples: targets.flatMap(({ name: target, state }) =>
        stateSamples(state, { family, states: TARGET_STATES, labels: { target } })
      ),
    },
    gauge("scripts", "Scripts of a target that are measured."),
    gauge("blocks", "Blocks of these scripts."),
  ];
}

function instanceFamilies(instances: readonly InstanceStatus[]): MetricFamily[] {
  const initialized = instances.filter(({ words }) => words !== undefined);
  const labelsOf = ({ id }: InstanceStatus): Labels => ({ instance: id });
  const family = "kcovfs_instance_state";
  return [
    {
      ...{ name: "kcovfs_instance", type: "info" },
      help: "An open kcov, and the process that has it enabled or has opened it.",
      samples: instances.map((instance) => ({ labels: infoLabels(instance), value: 1 })),
    },
    {
      ...{ name: family, type: "stateset", help: "What an instance is." },
      samples: instances.flatMap((instance) =>
        stateSamples(instance.state, {
          ...{ family, states: INSTANCE_STATES, labels: labelsOf(instance) },
        })
      ),
    },
    {
      ...{ name: "kcovfs_instance_area_words", type: "gauge", unit: "words" },
      help: "The size of an instance's area.",
      samples: initialized.map((one) => ({ labels: labelsOf(one), value: one.words! })),
    },
    {
      ...{ name: "kcovfs_instance_area_records", type: "gauge" },
      help: "What the first word of an instance's area says that there is in it.",
      samples: initialized.map((one) => ({ labels: labelsOf(one), value: one.count ?? 0 })),
    },
    ...countFamilies(
      "kcovfs_instance",
      instances.flatMap((one) => one.counts ? [{ labels: labelsOf(one), counts: one.counts }] : []),
    ),
  ];
}

function infoLabels({ id, client, owner, mode, scope }: InstanceStatus): Labels {
  return {
    instance: id,
    ...(client && { client: client.name, pid: client.pid }),
    ...(owner !== undefined && { owner }),
    ...(mode && { mode }),
    targets: scope === "all" ? scope : scope.join(" "),
  };
}

/** The families of counts, of all instances together or of each. */
function countFamilies(prefix: string, counted: readonly Counted[]): MetricFamily[] {
  const family = (what: keyof Counts, name: string, help: string): MetricFamily => ({
    ...{ name: `${prefix}_${name}`, type: "counter", help },
    samples: counted.map(({ labels, counts }) => ({ labels, value: counts[what] })),
  });
  return [
    family(
      "executions",
      "executions",
      "Times that an area got something to read after it was emptied.",
    ),
    family("pcs", "pcs", "PCs, or comparisons, that were recorded."),
    family(
      "full",
      "full_areas",
      "Executions that filled their area: if there was more, it was dropped.",
    ),
    family("faults", "faults", "Page faults for which targets were collected from."),
    {
      ...{ name: `${prefix}_fault_seconds`, type: "counter", unit: "seconds" },
      help: "What these took: collecting, then answering, then holding the targets for the client.",
      samples: counted.flatMap(({ labels, counts }) =>
        STAGES.map((stage) => ({ labels: { ...labels, stage }, value: counts[stage] / 1e6 }))
      ),
    },
  ];
}
