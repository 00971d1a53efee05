import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatMetrics } from "../../src/report/metrics.ts";
import { direct, NOW } from "./snapshots.ts";

const metrics = suite("report/metrics");

/** The samples of a text. */
const samplesOf = (text: string) => text.split("\n").filter((line) => /^\w/.test(line));

metrics("the server has its numbers without labels", () => {
  assert.equal(samplesOf(formatMetrics({ ...NOW, targets: [], instances: [] })), [
    'kcovfs_build_info{version="0.1.0",collector="v8"} 1',
    "kcovfs_uptime_seconds 3732.5",
    "kcovfs_covered_blocks_total 1204",
    "kcovfs_executions_total 4623",
    "kcovfs_pcs_total 140936",
    "kcovfs_full_areas_total 2",
    "kcovfs_faults_total 4510",
    'kcovfs_fault_seconds_total{stage="collecting"} 9.44',
    'kcovfs_fault_seconds_total{stage="answering"} 0.1322',
    'kcovfs_fault_seconds_total{stage="holding"} 0.871',
  ]);
});

metrics("targets that live have theirs", () => {
  const text = formatMetrics({ ...direct(NOW), targets: NOW.targets.slice(1), instances: [] });
  const target = 'target="api.resize-worker.js"';
  assert.equal(samplesOf(text).slice(3), [
    `kcovfs_target_info{${target},id="2",pid="4321",runtime="node v20.20.2",` +
    'link="agent",collector="v8",hold="gate"} 1',
    `kcovfs_target_state{${target},kcovfs_target_state="running"} 0`,
    `kcovfs_target_state{${target},kcovfs_target_state="held"} 0`,
    `kcovfs_target_state{${target},kcovfs_target_state="late"} 1`,
    `kcovfs_target_scripts{${target}} 12`,
    `kcovfs_target_blocks{${target}} 3456`,
  ]);
});

metrics("instances have theirs, as far as they are known", () => {
  const text = formatMetrics({ ...NOW, targets: [] });
  const of = (id: number) =>
    samplesOf(text).filter((line) => line.includes(`instance="${id}"`)).map((line) =>
      line.replace(`instance="${id}"`, "").replace("kcovfs_instance", "").replace("{}", "")
    );
  assert.equal(of(1001), [
    '_info{,client="my-fuzzer",pid="815",owner="816",mode="pc",targets="all"} 1',
    '_state{,kcovfs_instance_state="opened"} 0',
    '_state{,kcovfs_instance_state="initialized"} 0',
    '_state{,kcovfs_instance_state="enabled"} 1',
    "_area_words 65536",
    "_area_records 32",
    "_executions_total 4423",
    "_pcs_total 140936",
    "_full_areas_total 2",
    "_faults_total 4510",
    '_fault_seconds_total{,stage="collecting"} 9.44',
    '_fault_seconds_total{,stage="answering"} 0.1322',
    '_fault_seconds_total{,stage="holding"} 0.871',
  ]);
  assert.equal(of(1007).slice(0, 5), [
    '_info{,targets="2 9"} 1',
    '_state{,kcovfs_instance_state="opened"} 1',
    '_state{,kcovfs_instance_state="initialized"} 0',
    '_state{,kcovfs_instance_state="enabled"} 0',
    "_executions_total 0",
  ]);
});

metrics("where clients map what targets write, nothing is told that nobody has counted", () => {
  const text = formatMetrics(direct(NOW));
  assert.match(text, /^kcovfs_instance_area_records\{instance="1001"\} 32$/m);
  assert.not.match(text, /executions|_pcs|full_areas|fault/);
});

metrics("all families are of this program's name, and are told once", () => {
  const names = [...formatMetrics(NOW).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  assert.ok(names.length > 15 && names.every((name) => name.startsWith("kcovfs_")));
  assert.is(new Set(names).size, names.length);
});

metrics.run();
