import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Taken } from "../../src/targets/link.ts";
import { Registry } from "../../src/targets/registry.ts";
import type { Target } from "../../src/targets/target.ts";
import { deferred, FakeLink, taken, texts, turn } from "./fake_link.ts";

const registry = suite("targets/registry");

function made(options: { collectTimeout?: number } = {}) {
  const changes: string[] = [];
  const subject = new Registry({
    collectTimeout: options.collectTimeout ?? 5000,
    hold: "auto",
    onChange: ({ info, state, note }) => changes.push(`${info.name} ${state} ${note}`.trim()),
  });
  const add = (
    name: string,
    link = new FakeLink(),
    { parent }: { parent?: Target } = {},
  ): { link: FakeLink; target: Target } => ({
    link,
    target: subject.add(link, { name, pid: 1, runtime: "node" }, parent),
  });
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
  const { target: worker } = add("main.worker", new FakeLink(), { parent: main });
  const { target: nested } = add("main.worker.worker", new FakeLink(), { parent: worker });
  const { target: other } = add("other");
  assert.equal([main, worker, nested, other].map(({ unit }) => unit), [1, 1, 1, 4]);
});

registry("a main thread is stopped when its worker threads are held", async () => {
  const { subject, add } = made();
  const main = add("main");
  const held = deferred<Taken>();
  const workers = [
    add("a", new FakeLink(), { parent: main.target }),
    add("b", new FakeLink(), { parent: main.target }),
  ];
  workers[0].link.onStop = () => held.promise;
  const stopping = subject.stop({ run: 0 });
  await turn();
  assert.equal(workers.map(({ link }) => link.calls), [["stop 0 hold"], ["stop 0 hold"]]);
  assert.equal(main.link.calls, []);
  held.resolve(taken("[a]", true));
  const collected = await stopping;
  assert.equal(main.link.calls, ["stop 0 hold"]);
  assert.equal(collected.flatMap(({ pieces }) => texts(pieces)), ["[a]", "[1]", "[1]"]);
});

registry("a main thread is not stopped when its worker threads were let go meanwhile", async () => {
  const { subject, add } = made();
  const main = add("main");
  const worker = add("a", new FakeLink(), { parent: main.target });
  const held = deferred<Taken>();
  worker.link.onStop = () => held.promise;
  const stopping = subject.stop({ run: 0 });
  await turn();
  subject.release();
  held.resolve(taken("[a]", true));
  assert.equal((await stopping).flatMap(({ pieces }) => texts(pieces)), ["[a]"]);
  assert.equal([worker.link.calls, main.link.calls], [["stop 0 hold", "release"], []]);
});

registry("a target is found by its number as long as it lives", async () => {
  const { subject, add } = made();
  const { link, target } = add("a");
  assert.is(subject.find(target.id), target);
  assert.is(subject.find(99), undefined);
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
  const stopping = subject.stop({ run: 9 });
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
  const first = await subject.stop({ run: 0 });
  assert.equal(first.map(({ pieces }) => texts(pieces)), [[], ["[1]"]]);
  assert.equal(late.target.state, "late");
  subject.release();
  const second = await subject.stop({ run: 0 });
  assert.equal(second.map(({ pieces }) => texts(pieces)), [[], ["[2]"]]);
});

registry("without targets a stop collects nothing", async () => {
  const { subject } = made();
  assert.equal(await subject.stop({ run: 0 }), []);
  subject.release();
});

registry("a target's coming, notes and end are told of", async () => {
  const { subject, add, changes } = made();
  const { link } = add("api");
  link.onStop = () => Promise.reject(new Error("boom"));
  await subject.stop({ run: 0 });
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

registry("who wants to run waits while the targets are stopped", async () => {
  const { subject, add } = made();
  add("a");
  await subject.untilRunning();
  const order: string[] = [];
  const stopping = subject.stop({ run: 0 });
  const waiting = [1, 2].map((i) => subject.untilRunning().then(() => order.push(`${i} may run`)));
  await stopping;
  await turn();
  assert.equal(order, []);
  order.push("release");
  subject.release();
  await Promise.all(waiting);
  assert.equal(order, ["release", "1 may run", "2 may run"]);
  await subject.untilRunning();
});

registry("who was let in just before the next stop is stopped with the others", async () => {
  const { subject, add } = made();
  add("a");
  await subject.stop({ run: 0 });
  const admission = subject.untilRunning().then(() => add("new"));
  subject.release();
  const collected = await subject.stop({ run: 0 });
  assert.equal(collected.map(({ target }) => target.info.name), ["a", "new"]);
  assert.is((await admission).target.state, "held");
});

registry("a stop that is called off in the same turn holds nobody", async () => {
  const { subject, add } = made();
  const { link, target } = add("a");
  const stopping = subject.stop({ run: 0 });
  subject.release();
  assert.equal(await stopping, []);
  assert.is(target.state, "running");
  assert.equal(link.calls.filter((call) => call === "release").length, link.calls.length);
});

registry.run();
