/** `docs/grafana.json` against a server's own metrics. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, KCOVFS, Scene } from "./harness.ts";
import { watched } from "./watched.ts";

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const { panels } = JSON.parse(
  readFileSync(join(KCOVFS, "../../docs/grafana.json"), "utf8"),
) as { panels: readonly Panel[] };
/** The queries of its panels to Prometheus. */
const QUERIES = panels.flatMap(({ title, targets }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat }))
);

const dashboard = suite("the dashboard");

/** The names and labels of the samples while a client uses a target. */
async function readSamples(): Promise<{ names: Set<string>; labels: Set<string> }> {
  await using scene = new Scene();
  await scene.serve();
  const { socket } = await scene.service("paths");
  await watched({ scene, socket }, { words: 4096, loops: 10 });
  const { stdout } = await execute(["cat", join(scene.mount, "kcovfs/metrics")]);
  const samples = stdout.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return {
    names: new Set(samples.map((line) => line.match(/^\w+/)![0])),
    labels: new Set(samples.flatMap((line) => [...line.matchAll(/(\w+)="/g)].map(([, l]) => l))),
  };
}

dashboard("each metric and label that it names is one that the server has", async () => {
  const { names, labels } = await readSamples();
  const named = QUERIES.map(({ title, expr, legendFormat }) => ({
    title,
    metrics: [...expr.matchAll(/\bkcovfs_\w+/g)].map(([name]) => name),
    labels: [...legendFormat.matchAll(/{{(\w+)}}/g)].map(([, label]) => label),
  }));
  assert.ok(named.length >= panels.length && named.every(({ metrics }) => metrics.length > 0));
  const unknown = named.flatMap(({ title, metrics, labels: shown }) => [
    ...metrics.filter((name) => !names.has(name)).map((name) => `${title}: ${name}`),
    ...shown.filter((label) => !labels.has(label)).map((label) => `${title}: {{${label}}}`),
  ]);
  assert.equal(unknown, []);
});

dashboard("each counter that the server has is shown", async () => {
  const { names } = await readSamples();
  const counters = [...names].filter((name) => name.endsWith("_total"));
  assert.ok(counters.length > 5);
  const shown = QUERIES.map(({ expr }) => expr).join("\n");
  assert.equal(counters.filter((name) => !new RegExp(`\\b${name}\\b`).test(shown)), []);
});

dashboard.run();
