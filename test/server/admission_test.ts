import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Admission } from "../../src/server/admission.ts";
import type { Hello, Welcome } from "../../src/messages/protocol.ts";
import { Deferred } from "../../src/base/deferred.ts";
import { ProcessReader } from "../../src/base/process_reader.ts";
import { Collector } from "../../src/server/collector.ts";
import { CoveredBlocks } from "../../src/symbols/covered_blocks.ts";
import type { AgentLink } from "../../src/targets/agent_link.ts";
import { Registry } from "../../src/targets/registry.ts";
import type { Target } from "../../src/targets/target.ts";
import { ALL_UNITS } from "../../src/kcov/coherence/unit.ts";
import { EngineWorld } from "../blocks/engine_world.ts";
import { FakeLink, turn } from "../targets/fake_link.ts";
import { targetId } from "../../src/kcov/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";

const admission = suite("admission");

const PEER = { pid: 1, uid: 1000, gid: 1000 };
const INFO = { name: "api", pid: 1, runtime: "node" };

/** An agent's link, with the parts that its welcome uses. */
class FakeAgentLink extends FakeLink {
  readonly welcomes: Welcome[] = [];

  refuse(): void {
    this.calls.push("refuse");
  }

  welcome(welcome: Welcome): void {
    this.welcomes.push(welcome);
  }
}

function made() {
  const warnings: string[] = [];
  const arrived: [attachment: string, target: Target][] = [];
  const registry = new Registry({ collectTimeout: 5000, hold: "auto" });
  const reporter = { warn: (line: string) => void warnings.push(line) };
  const { engine } = new EngineWorld();
  const isPassthrough = new Deferred<boolean>();
  isPassthrough.resolve(false);
  const subject = new Admission({
    registry,
    collector: new Collector({
      covered: new CoveredBlocks(),
      segments: () => [],
      registry,
      engine,
      filterFor: () => () => true,
      reporter,
    }),
    control: { makePipe: () => "/run/kcovfs/pipe-0" },
    arrivals: { arrived: (attachment, target) => arrived.push([attachment, target]) },
    isPassthrough,
    choice: "v8",
    devices: [],
    processes: new ProcessReader(),
    reporter,
  });
  const admit = (hello: Partial<Hello> = {}, peer = PEER) => {
    const link = new FakeAgentLink();
    const agent = link as unknown as AgentLink;
    subject.admit(agent, { ...INFO, protocol: 1, ...hello } as Hello, { peer });
    return { link, agent };
  };
  return { warnings, arrived, registry, subject, admit };
}

admission("what comes while others are held is let in when they run", async () => {
  const { registry, subject, admit } = made();
  await registry.stop({ run: 0, units: ALL_UNITS });
  const added = subject.add(new FakeLink(), INFO);
  const { link } = admit();
  await turn();
  assert.equal([registry.targets.length, link.welcomes.length], [0, 0]);
  registry.release();
  assert.is((await added).info.name, "api");
  assert.equal(link.welcomes, [
    {
      id: 2,
      name: "api-2",
      holdTimeout: 11000,
      pipe: "/run/kcovfs/pipe-0",
      isHeld: true,
      areas: [],
    },
  ]);
});

admission("what a target has started is named after it", () => {
  const { registry, admit } = made();
  admit();
  admit({ name: "worker", parent: targetId(1), tid: threadId(12) });
  admit({ name: "child", parent: "api" });
  const [api, worker, child] = registry.targets;
  assert.equal([worker.info.name, worker.info.parent, worker.info.tid], ["api.worker", api, 12]);
  assert.equal([child.info.name, child.info.parent], ["api.child", undefined]);
});

admission(
  "a target's process is the one that has connected, whatever it says",
  () => {
    const { registry, admit } = made();
    admit({ pid: 4711 }, { pid: 12, uid: 1000, gid: 1000 });
    const [{ info }] = registry.targets;
    assert.equal([info.pid, info.uid], [12, 1000]);
  },
);

admission("a thread of another process's is none of a target's", () => {
  const { registry, warnings, admit } = made();
  admit();
  const foreign = { pid: 2, uid: 1000, gid: 1000 };
  const { link } = admit(
    { name: "worker", parent: targetId(1), tid: threadId(12), pid: 1 },
    foreign,
  );
  assert.equal([registry.targets.length, link.welcomes.length, link.calls], [
    1,
    0,
    ["refuse"],
  ]);
  assert.equal(warnings, [
    "Target worker (pid 2): it says that a thread of another process has started it",
  ]);
});

admission(
  "of a process in another pid namespace no number is told, nor of its threads",
  () => {
    const { registry, admit } = made();
    const unseen = { pid: 0, uid: 1000, gid: 1000 };
    admit({ pid: 7 }, unseen);
    admit({ pid: 7, name: "worker", parent: targetId(1), tid: threadId(12) }, unseen);
    admit({ pid: 7, name: "worker", parent: targetId(1), tid: threadId(12) }, {
      ...unseen,
      uid: 1001,
    });
    const [main, worker, ...more] = registry.targets;
    assert.equal([main.info.pid, worker.info.pid, worker.info.tid], [0, 0, 0]);
    assert.equal([worker.info.parent, more], [main, []]);
  },
);

admission(
  "who has brought an agent into a process is told when it has come",
  () => {
    const { registry, arrived, admit } = made();
    admit();
    admit({ attachment: "7" });
    assert.equal(arrived, [["7", registry.targets[1]]]);
  },
);

admission("a hold that was given up is warned of", () => {
  const { subject, warnings, admit } = made();
  subject.expired(admit().agent);
  assert.equal(warnings, [
    "Target api (pid 1): was held for 11000 ms and let go; a read may be stale",
  ]);
});

admission.run();
