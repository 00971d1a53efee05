import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Taken } from "../../src/targets/link.ts";
import { Registry } from "../../src/targets/registry.ts";
import type { Target, TargetInfo } from "../../src/targets/target.ts";
import { ALL_UNITS, type Units } from "../../src/kcov/coherence/unit.ts";
import { deferred, FakeLink, taken, texts, turn } from "./fake_link.ts";
import { targetId, unitId } from "../../src/kcov/ids.ts";

const registry = suite("targets/registry");

function made(options: { collectTimeout?: number; onRegroup?: () => void } = {}) {
  const changes: string[] = [];
  const subject = new Registry({
    collectTimeout: options.collectTimeout ?? 5000,
    hold: "auto",
    ...(options.onRegroup && { onRegroup: options.onRegroup }),
    onChange: ({ info, state, note }) => changes.push(`${info.name} ${state} ${note}`.trim()),
  });
  const add = (
    name: string,
    info: Pick<TargetInfo, "parent"> = {},
  ): { link: FakeLink; target: Target } => {
    const link = new FakeLink();
    return { link, target: subject.add(link, { name, pid: 1, runtime: "node", ...info }) };
  };
  return { subject, add, changes };
}

registry("targets are numbered and kept in the order in which they came", () => {
  const { subject, add } = made();
  for (const name of ["b", "a", "c"]) add(name);
  assert.equal(subject.targets.map(({ id, info }) => `${id} ${info.name}`), ["1 b", "2 a", "3 c"]);
});

registry("a name that is taken gets a number", () => {
  const { add } = made();
  const names = ["api", "api", "api-2", "api"].map((name) => add(name).target.info.name);
  assert.equal(names, ["api", "api-2", "api-2-2", "api-3"]);
});

registry("a name is no longer than a file's may be", () => {
  const { add } = made();
  const long = "a".repeat(1000);
  const names = [long, long].map((name) => add(name).target.info.name);
  assert.equal(names.map(({ length }) => length), [200, 202]);
});

registry("the threads of a process are one unit, which bears its main thread's number", () => {
  const { add } = made();
  const { target: main } = add("main");
  const { target: worker } = add("main.worker", { parent: main });
  const { target: nested } = add("main.worker.worker", { parent: worker });
  const { target: other } = add("other");
  assert.equal([main, worker, nested, other].map(({ unit }) => unit), [1, 1, 1, 4]);
});

registry("a target is found by its number as long as it lives", async () => {
  const { subject, add } = made();
  const { link, target } = add("a");
  assert.is(subject.find(target.id), target);
  assert.is(subject.find(targetId(99)), undefined);
  link.close("exited");
  await turn();
  assert.is(subject.find(target.id), undefined);
});

registry("a name of a target that has ended is free again", async () => {
  const { add } = made();
  add("api").link.close("exited");
  await turn();
  assert.is(add("api").target.info.name, "api");
  assert.is(add("api").target.info.name, "api-2");
});

registry("a name is fit for a file: nothing in it leads out of its folder or hides it", () => {
  const { add } = made();
  const names = {
    "my app.js": "my_app.js",
    "/srv/app/main.js": "_srv_app_main.js",
    "../../etc/passwd": "_.._etc_passwd",
    ".hidden": "hidden",
    "..": "target",
    "": "target-2",
    "größe\n": "gr_e_",
    "v1.2+x@y-z": "v1.2+x@y-z",
  };
  for (const [wanted, name] of Object.entries(names)) {
    assert.is(add(wanted).target.info.name, name);
  }
});

registry("all targets are stopped at once and released as one", async () => {
  const { subject, add } = made();
  const both = [add("a"), add("b")];
  const answers = both.map(({ link }) => {
    const answer = deferred<Taken>();
    link.onStop = () => answer.promise;
    return answer;
  });
  const stopping = subject.stop({ run: 9, units: ALL_UNITS });
  await turn();
  assert.equal(both.map(({ link }) => link.calls), [["stop 9 hold"], ["stop 9 hold"]]);
  answers[1].resolve(taken("[2]", true));
  answers[0].resolve(taken("[1]", true));
  const collected = await stopping;
  assert.equal(
    collected.map(({ target, pieces }) => [target.info.name, texts(pieces)]),
    [["a", ["[1]"]], ["b", ["[2]"]]],
  );
  assert.equal(both.map(({ target }) => target.state), ["held", "held"]);
  subject.release();
  subject.release();
  assert.equal(both.map(({ link }) => link.calls.at(-1)), ["release", "release"]);
  assert.equal(both.map(({ link }) => link.calls.length), [2, 2]);
});

registry("one that is late takes nothing from the others", async () => {
  const { subject, add } = made({ collectTimeout: 20 });
  assert.is(subject.collectTimeout, 20);
  const late = add("late");
  late.link.onStop = () => new Promise(() => {});
  add("prompt");
  const first = await subject.stop({ run: 0, units: ALL_UNITS });
  assert.equal(first.map(({ pieces }) => texts(pieces)), [[], ["[1]"]]);
  assert.equal(late.target.state, "late");
  subject.release();
  const second = await subject.stop({ run: 0, units: ALL_UNITS });
  assert.equal(second.map(({ pieces }) => texts(pieces)), [[], ["[2]"]]);
});

registry("without targets a stop collects nothing", async () => {
  const { subject } = made();
  assert.equal(await subject.stop({ run: 0, units: ALL_UNITS }), []);
  subject.release();
});

registry("a target's coming, notes and end are told of", async () => {
  const { subject, add, changes } = made();
  const { link } = add("api");
  link.onStop = () => Promise.reject(new Error("boom"));
  await subject.stop({ run: 0, units: ALL_UNITS });
  subject.release();
  link.close("exited");
  await turn();
  assert.equal(changes, ["api running", "api held boom", "api ended exited"]);
});

registry("of the targets that have ended the last 16 are kept, of the living all", async () => {
  const { subject, add } = made();
  add("first");
  for (let i = 1; i <= 20; i++) {
    add(`t${i}`).link.close("exited");
    if (i % 7 === 0) await turn();
  }
  add("last");
  await turn();
  const names = subject.targets.map(({ info }) => info.name);
  const kept = Array.from({ length: 16 }, (_, i) => `t${i + 5}`);
  assert.equal(names, ["first", ...kept, "last"]);
});

registry("who wants to run waits while its unit is stopped", async () => {
  const { subject, add } = made();
  add("a");
  const order: string[] = [];
  const enter = (name: string) =>
    subject.whenRunning({ name }, () => {
      order.push(`${name} enters`);
      add(name);
    });
  enter("at-once");
  await subject.stop({ run: 0, units: ALL_UNITS });
  for (const name of ["b", "c"]) enter(name);
  assert.equal(order.splice(0), ["at-once enters"]);
  subject.release();
  assert.equal(order.splice(0), ["b enters", "c enters"]);
  await subject.stop({ run: 0, units: { only: [unitId(1), unitId(6)] } });
  for (const name of ["d", "e"]) enter(name);
  assert.equal(order.splice(0), ["d enters"], "the next has the number 6");
  subject.release({ only: [unitId(1)] });
  assert.equal(order, []);
  subject.release({ only: [unitId(6)] });
  assert.equal(order, ["e enters"]);
});

registry("of two who want the same name the second waits for the number that it gets", async () => {
  const { subject, add } = made();
  add("a");
  await subject.stop({ run: 0, units: { only: [unitId(3)] } });
  const entered: string[] = [];
  for (let i = 0; i < 2; i++) {
    subject.whenRunning({ name: "b" }, () => entered.push(add("b").target.info.name));
  }
  assert.equal(entered, ["b"]);
  subject.release();
  assert.equal(entered, ["b", "b-2"]);
});

registry("who was let in just before the next stop is stopped with the others", async () => {
  const { subject, add } = made();
  add("a");
  await subject.stop({ run: 0, units: ALL_UNITS });
  let added: Target | undefined;
  subject.whenRunning({ name: "new" }, () => added = add("new").target);
  subject.release();
  const collected = await subject.stop({ run: 0, units: ALL_UNITS });
  assert.equal(collected.map(({ target }) => target.info.name), ["a", "new"]);
  assert.is(added!.state, "held");
});

registry("a stop that is called off in the same turn holds nobody", async () => {
  const { subject, add } = made();
  const { link, target } = add("a");
  const stopping = subject.stop({ run: 0, units: ALL_UNITS });
  subject.release();
  await stopping;
  assert.is(target.state, "running");
  assert.equal(link.calls, ["stop 0 hold", "release"]);
});

registry("a target that comes back under its name has its number again", async () => {
  const { subject, add } = made();
  const first = add("api");
  add("other");
  first.link.close("exited");
  await turn();
  assert.is(add("api").target.id, 1);
  assert.is(add("api").target.id, 3, "while that lives, another is another");
  assert.equal(subject.names, [
    { name: "api", id: 1, isAlive: true },
    { name: "other", id: 2, isAlive: true },
    { name: "api-2", id: 3, isAlive: true },
  ]);
});

registry("units are stopped and let go by themselves", async () => {
  const { subject, add } = made();
  const targets = ["a", "b", "c"].map((name) => add(name).target);
  const states = () => targets.map(({ state }) => state);
  const names = async (units: Units) =>
    (await subject.stop({ run: 0, units })).map(({ target }) => target.info.name);
  assert.equal(await names({ only: [unitId(2)] }), ["b"]);
  assert.equal(states(), ["running", "held", "running"]);
  assert.equal(await names({ except: [unitId(2)] }), ["a", "c"]);
  subject.release({ except: [unitId(2), unitId(3)] });
  assert.equal(states(), ["running", "held", "held"]);
  subject.release({ only: [unitId(2)] });
  assert.equal(states(), ["running", "running", "held"]);
});

registry(
  "threads of a process are stopped before its main thread, and released after",
  async () => {
    const { subject, add } = made();
    const main = add("main");
    const worker = add("worker", { parent: main.target });
    const inner = add("inner", { parent: worker.target });
    const order: string[] = [];
    const answers = [main, worker, inner].map(({ link, target }) => {
      const answer = deferred<Taken>();
      link.onStop = () => {
        order.push(`stop ${target.info.name}`);
        return answer.promise;
      };
      link.onRelease = () => order.push(`release ${target.info.name}`);
      return answer;
    });
    assert.equal([worker.target.unit, inner.target.unit, subject.unitOf(targetId(3))], [1, 1, 1]);
    const stopping = subject.stop({ run: 0, units: { only: [unitId(1)] } });
    await turn();
    assert.equal(order, ["stop worker", "stop inner"]);
    answers[1].resolve(taken("[1]", true));
    await turn();
    assert.is(order.length, 2);
    answers[2].resolve(taken("[2]", true));
    await turn();
    assert.is(order.pop(), "stop main");
    answers[0].resolve(taken("[0]", true));
    assert.equal((await stopping).flatMap(({ pieces }) => texts(pieces)), ["[1]", "[2]", "[0]"]);
    order.length = 0;
    subject.release();
    assert.equal(order, ["release main", "release worker", "release inner"]);
  },
);

registry(
  "a name that comes back in another process is in that one's unit, which is told",
  async () => {
    let regroups = 0;
    const { subject, add } = made({ onRegroup: () => regroups++ });
    const [one, other] = [add("one"), add("other")];
    const worker = add("worker", { parent: one.target });
    assert.equal([worker.target.id, subject.unitOf(targetId(3)), regroups], [3, 1, 1]);
    worker.link.close("exited");
    await turn();
    assert.is(subject.unitOf(targetId(3)), 1, "what it left behind belongs there");
    await subject.stop({ run: 0, units: { only: [unitId(1)] } });
    let isIn = false;
    subject.whenRunning({ name: "worker", parent: other.target }, () => {
      add("worker", { parent: other.target });
      isIn = true;
    });
    assert.not(isIn, "neither unit may be held");
    subject.release();
    assert.equal([isIn, subject.unitOf(targetId(3)), regroups], [true, 2, 2]);
  },
);

registry.run();
