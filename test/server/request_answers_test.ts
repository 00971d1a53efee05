import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Attacher } from "../../src/server/attacher.ts";
import type { Peer } from "../../src/base/peer.ts";
import { Collector } from "../../src/server/collector.ts";
import { CoveredBlocks } from "../../src/symbols/covered_blocks.ts";
import type { ServerFacts, TargetRow } from "../../src/messages/requests.ts";
import { type Counts, noCounts } from "../../src/kcov/mod.ts";
import { RequestAnswers } from "../../src/server/request_answers.ts";
import { Registry } from "../../src/targets/registry.ts";
import type { Target } from "../../src/targets/target.ts";
import type { Tracing } from "../../src/server/trace/probed_scripts.ts";
import { EngineWorld } from "../blocks/engine_world.ts";
import { FakeLink, turn } from "../targets/fake_link.ts";

const answers = suite("request_answers");

const FACTS: ServerFacts = {
  ...{
    pid: 1,
    state: "/var/lib/kcovfs",
    version: "0.1.0",
    collector: "trace",
    isPassthrough: true,
  },
};
const TRACING = {
  countsOf: () => ({ measured: 3, blocks: 40, unparsed: 1 }),
  tracer: { whyUnseen: () => undefined, canWrite: () => true },
  unprobed: ({ id }: Target) => Promise.resolve([{ url: `file:///${id}.js`, reason: "why" }]),
};

/** The user of the device, and others. */
const OWNER = 1000;
const ROOT: Peer = { pid: 12, uid: 0, gid: 0 };
const OTHER: Peer = { pid: 13, uid: 1001, gid: 1001 };

const TOTAL: Counts = { ...noCounts(), executions: 300, pcs: 9000 };

function made(
  { tracing, isPassthrough = true }: {
    tracing?: typeof TRACING;
    isPassthrough?: boolean;
  } = {},
) {
  const registry = new Registry({ collectTimeout: 5000, hold: "auto" });
  const { engine } = new EngineWorld();
  const warn = (line: string) => assert.unreachable(line);
  const asked: unknown[] = [];
  const one = (...params: unknown[]): Target => {
    asked.push(...params);
    return registry.targets[0];
  };
  const attacher: Pick<Attacher, "attach" | "detach"> = {
    attach: (params, peer) => Promise.resolve([one(params, peer)]),
    detach: (name, peer) => Promise.resolve(one(name, peer)),
  };
  const covered = new CoveredBlocks();
  let refreshed = 0;
  const subject = new RequestAnswers({
    registry,
    covered,
    devices: [{ refresh: () => Promise.resolve(void refreshed++), blindTo: () => 0 }],
    collector: new Collector({
      covered,
      segments: () => [],
      registry,
      engine,
      filterFor: () => () => true,
      reporter: { warn },
    }),
    tracing: tracing as Tracing | undefined,
    attacher: attacher as Attacher,
    facts: Promise.resolve({ ...FACTS, isPassthrough }),
    meters: {
      take: () => Promise.resolve({ uptime: 7, instances: [], total: TOTAL, coveredBlocks: 3 }),
    },
    uid: OWNER,
  });
  const add = (collector?: "trace") => {
    const link = new FakeLink();
    const info = { name: "api", pid: 7, runtime: "node", ...(collector && { collector }) };
    return { link, target: registry.add(link, info) };
  };
  return { subject, registry, add, asked, covered, refreshed: () => refreshed };
}

const refusalOf = (answer: Promise<unknown>): Promise<string> =>
  answer.then(() => "it was answered", (error: Error) => error.message);

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
  assert.is(rows[1].note, "1 script that cannot be parsed");
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

answers(
  "'status' is the server, its targets, and what was counted where it is seen",
  async () => {
    const counted = made({ isPassthrough: false });
    counted.add();
    const snapshot = {
      server: { ...FACTS, isPassthrough: false },
      targets: counted.subject.rows(),
      ...{ uptime: 7, instances: [], coveredBlocks: 3 },
    };
    assert.equal(await counted.subject.answer({ kind: "status" }), {
      ...snapshot,
      total: TOTAL,
    });
    const direct = await made({ tracing: TRACING }).subject.answer({ kind: "status" });
    assert.equal(
      direct,
      { ...snapshot, server: FACTS, targets: [] },
      "no total",
    );
  },
);

answers(
  "'attach' and 'detach' are handed on with who asks, and answered by rows",
  async () => {
    const { subject, add, asked } = made();
    add();
    const rows = subject.rows();
    const attach = { kind: "attach", params: { address: "7" } };
    const detach = { kind: "detach", params: { target: "api" } };
    assert.equal(await subject.answer(attach, OTHER), rows);
    assert.equal(await subject.answer(detach, ROOT), rows);
    assert.equal(asked, [{ address: "7" }, OTHER, "api", ROOT]);
  },
);

answers(
  "what is covered can be read by all, and reset by those whom the device belongs to",
  async () => {
    const { subject, refreshed } = made();
    const covered = (isReset: boolean) => ({
      kind: "covered",
      params: { since: "start", isReset },
    });
    const owner = { ...OTHER, uid: OWNER };
    for (const peer of [undefined, OTHER, owner, ROOT]) {
      assert.equal(await subject.answer(covered(false), peer), []);
    }
    for (const peer of [owner, ROOT]) {
      assert.equal(await subject.answer(covered(true), peer), []);
    }
    assert.is(refreshed(), 6);
    const refusal = await refusalOf(subject.answer(covered(true), OTHER));
    assert.is(
      refusal,
      "Cannot reset: only root, the server's user and uid 1000, whose device it is, may reset",
    );
    assert.is(refreshed(), 6);
  },
);

answers("who cannot be told from others changes nothing", async () => {
  const { subject, asked, refreshed } = made();
  for (
    const [kind, params] of [
      ["attach", { address: "7" }],
      ["detach", { target: "api" }],
      ["covered", { since: "start", isReset: true }],
    ]
  ) {
    const refusal = await refusalOf(subject.answer({ kind, params }));
    assert.match(refusal, /^Cannot do that: this server's runtime cannot tell who asks/);
  }
  assert.equal([asked, refreshed()], [[], 0]);
});

const WRONG: readonly (readonly [kind: string, params: unknown])[] = [
  ...[undefined, null, 7, "x", [], {}].flatMap((params) =>
    ["attach", "detach", "covered"].map((kind) => [kind, params] as const)
  ),
  ...[{ address: 7 }, { address: "7", name: {} }, {
    address: "7",
    include: "x",
  }].map((params) => ["attach", params] as const),
  ...[{ pid: "7" }, { pid: -1 }, { starts: 1e9 }, { starts: 0.5 }, {
    exclude: [7],
  }].map((params) => ["attach", { address: "7", ...params }] as const),
  ["detach", { target: 1 }],
  ["covered", { since: "never", isReset: false }],
  ["covered", { since: "start", isReset: 1 }],
];

answers(
  "requests whose parts are of the wrong types are refused, and change nothing",
  async () => {
    const { subject, asked, refreshed } = made();
    for (const [kind, params] of WRONG) {
      const refusal = await refusalOf(subject.answer({ kind, params }, ROOT));
      assert.match(
        refusal,
        /^Cannot take this request: params/,
        JSON.stringify([kind, params]),
      );
    }
    assert.equal([asked, refreshed()], [[], 0]);
  },
);

const KINDS =
  '"targets" or "unprobed" or "server" or "status" or "covered" or "attach" or "detach"';

for (
  const [request, reason] of [
    [undefined, "it must be an object, not undefined"],
    [null, "it must be an object, not null"],
    [7, "it must be an object, not 7"],
    [{}, `kind must be ${KINDS}, not undefined`],
    [{ kind: "report" }, `kind must be ${KINDS}, not "report"`],
    [{ kind: "detach", params: { target: 7 } }, "params.target must be a text, not 7"],
  ] as const
) {
  answers(`${JSON.stringify(request)} is refused, and it is said where it is wrong`, async () => {
    const error = await made().subject.answer(request, ROOT).catch((error) => error);
    assert.is(
      (error as Error).message,
      `Cannot take this request: ${reason}; is the server of another version?`,
    );
  });
}

answers.run();
