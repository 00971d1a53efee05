import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Attacher } from "../src/attacher.ts";
import { Collector } from "../src/collector.ts";
import { CoveredBlocks } from "../src/coverage/covered_blocks.ts";
import type { ServerFacts, TargetRow } from "../src/control_client.ts";
import { type Counts, noCounts } from "../src/kcov/mod.ts";
import { RequestAnswers } from "../src/request_answers.ts";
import { Registry } from "../src/targets/registry.ts";
import type { Target } from "../src/targets/target.ts";
import type { Tracing } from "../src/tracing.ts";
import { EngineWorld } from "./coverage/engine_world.ts";
import { FakeLink, turn } from "./targets/fake_link.ts";

const answers = suite("request_answers");

const FACTS: ServerFacts = {
  ...{ pid: 1, state: "/var/lib/kcovfs", version: "0.1.0", collector: "trace", isDirect: true },
};
const TRACING = {
  countsOf: () => ({ measured: 3, blocks: 40, unparsed: 1 }),
  unprobed: ({ id }: Target) => Promise.resolve([{ url: `file:///${id}.js`, reason: "why" }]),
};

const TOTAL: Counts = { ...noCounts(), executions: 300, pcs: 9000 };

function made(
  { tracing, isDirect = true }: { tracing?: typeof TRACING; isDirect?: boolean } = {},
) {
  const registry = new Registry({ collectTimeout: 5000, hold: "auto" });
  const { engine } = new EngineWorld();
  const warn = (line: string) => assert.unreachable(line);
  const asked: unknown[] = [];
  const one = (params: unknown): Target => {
    asked.push(params);
    return registry.targets[0];
  };
  const attacher: Pick<Attacher, "attach" | "detach"> = {
    attach: (params) => Promise.resolve([one(params)]),
    detach: (name) => Promise.resolve(one(name)),
  };
  const covered = new CoveredBlocks();
  let refreshed = 0;
  const subject = new RequestAnswers({
    registry,
    covered,
    refresh: () => Promise.resolve(void refreshed++),
    collector: new Collector({
      covered,
      segments: () => [],
      registry,
      engine,
      filterFor: () => () => true,
      warn,
    }),
    tracing: tracing as Tracing | undefined,
    attacher: attacher as Attacher,
    facts: () => Promise.resolve({ ...FACTS, isDirect }),
    measure: () => Promise.resolve({ uptime: 7, instances: [], total: TOTAL, coveredBlocks: 3 }),
  });
  const add = (collector?: "trace") => {
    const link = new FakeLink();
    const info = { name: "api", pid: 7, runtime: "node", ...(collector && { collector }) };
    return { link, target: registry.add(link, info) };
  };
  return { subject, registry, add, asked, covered, refreshed: () => refreshed };
}

answers("'targets' are rows, with what is known of their scripts", async () => {
  const { subject, add } = made({ tracing: TRACING });
  add();
  add("trace");
  const rows = await subject.answer({ kind: "targets" }) as TargetRow[];
  assert.equal(
    rows.map(({ name, collector, scripts, blocks }) => [name, collector, scripts, blocks]),
    [
      ["api", "v8", 0, 0],
      ["api-2", "trace", 3, 40],
    ],
  );
  assert.is(rows[1].note, "1 scripts that cannot be parsed");
  assert.equal(rows, subject.rows());
});

answers("'unprobed' are the scripts of targets that live, with their names", async () => {
  const { subject, add } = made({ tracing: TRACING });
  add("trace").link.close("exited");
  add("trace");
  await turn();
  assert.equal(await subject.answer({ kind: "unprobed" }), [
    { target: "api-2", url: "file:///2.js", reason: "why" },
  ]);
});

answers("without probes no scripts lack them", async () => {
  const { subject, add } = made();
  add();
  assert.equal(await subject.answer({ kind: "unprobed" }), []);
});

answers("'server' tells of the server", async () => {
  assert.equal(await made().subject.answer({ kind: "server" }), FACTS);
});

answers("'status' is the server, its targets, and what was counted where it is seen", async () => {
  const counted = made({ isDirect: false });
  counted.add();
  const snapshot = {
    server: { ...FACTS, isDirect: false },
    targets: counted.subject.rows(),
    ...{ uptime: 7, instances: [], coveredBlocks: 3 },
  };
  assert.equal(await counted.subject.answer({ kind: "status" }), { ...snapshot, total: TOTAL });
  const direct = await made().subject.answer({ kind: "status" });
  assert.equal(direct, { ...snapshot, server: FACTS, targets: [] }, "no total");
});

answers("'attach' and 'detach' are handed on, and answered by rows", async () => {
  const { subject, add, asked } = made();
  add();
  const rows = subject.rows();
  assert.equal(await subject.answer({ kind: "attach", params: { address: "7" } }), rows);
  assert.equal(await subject.answer({ kind: "detach", params: { target: "api" } }), rows);
  assert.equal(asked, [{ address: "7" }, "api"]);
});

for (const request of [undefined, null, 7, {}, { kind: "report" }]) {
  answers(`${JSON.stringify(request)} is a request of another version's`, async () => {
    const error = await made().subject.answer(request).catch((error) => error);
    assert.is(
      (error as Error).message,
      "the server does not know this request; it is of another version",
    );
  });
}

answers.run();
