import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Taken } from "../../src/targets/link.ts";
import { type Hold, Target } from "../../src/targets/target.ts";
import { deferred, FakeLink, taken, texts, turn } from "./fake_link.ts";
import { targetId } from "../../src/kcov/ids.ts";

const target = suite("targets/target");

/** ms that the server waits for a target, in tests that let it be late. */
const SHORT = 10;
const LONG = 5000;
/** Larger than any pid can be. */
const NOBODY = 2 ** 22 + 1;

function made(options: { link?: FakeLink; hold?: Hold; pid?: number } = {}) {
  const link = options.link ?? new FakeLink();
  /** State and note at each change. */
  const changes: string[] = [];
  const subject = new Target(link, {
    id: targetId(7),
    info: { name: "api", pid: options.pid ?? NOBODY, runtime: "node" },
    hold: options.hold ?? "auto",
    onChange: ({ state, note }) => changes.push(`${state}: ${note}`),
  });
  return { link, subject, changes };
}

async function stop(subject: Target, timeout = LONG): Promise<string[]> {
  return texts(await subject.stop({ run: 40, timeout }));
}

target("a stop collects and holds, a release ends the hold", async () => {
  const { link, subject, changes } = made();
  assert.equal([subject.state, subject.note, subject.hold], ["running", "", "gate"]);
  assert.equal(await stop(subject), ["[1]"]);
  assert.is(subject.state, "held");
  subject.release();
  assert.is(subject.state, "running");
  subject.release();
  assert.equal(link.calls, ["stop 40 hold", "release"]);
  assert.equal(changes, []);
});

target("a target that runs is not released", () => {
  const { link, subject } = made();
  subject.release();
  assert.equal(link.calls, []);
});

target("a stop that has collected nothing brings nothing", async () => {
  const { link, subject } = made();
  link.onStop = () => Promise.resolve(taken("", true));
  assert.equal(await stop(subject), []);
  assert.is(subject.state, "held");
});

target("a hold that fails is tried again, at once, and no coverage of it is lost", async () => {
  for (let failures = 1; failures < 5; failures++) {
    const { link, subject, changes } = made();
    let attempt = 0;
    link.onStop = () => Promise.resolve(taken(`[${++attempt}]`, attempt > failures));
    const pieces = Array.from({ length: failures + 1 }, (_, i) => `[${i + 1}]`);
    assert.equal(await stop(subject), pieces);
    const calls = [...pieces.keys()].map((i) => i === 0 ? "stop 40 hold" : "stop 0 hold");
    assert.equal(link.calls, calls);
    assert.equal([subject.state, changes], ["held", []]);
  }
});

target(
  "one that cannot be held in five attempts is left so, and says so until it can",
  async () => {
    const { link, subject, changes } = made();
    let held = false;
    link.onStop = () => Promise.resolve(taken("[]", held));
    assert.equal(await stop(subject), ["[]", "[]", "[]", "[]", "[]"]);
    assert.equal(changes, ["held: cannot be held"]);
    subject.release();
    assert.is(link.calls.at(-1), "release");
    await stop(subject);
    assert.is(changes.length, 1, "said once");
    subject.release();
    held = true;
    assert.equal(await stop(subject), ["[]"]);
    assert.equal(changes, ["held: cannot be held", "held: "]);
  },
);

target("where targets are not to be held they are collected from only", async () => {
  const { link, subject } = made({ hold: "none" });
  assert.is(subject.hold, "unheld");
  assert.equal(await stop(subject), ["[1]"]);
  assert.equal(link.calls, ["stop 40"]);
  assert.is(subject.note, "");
});

target("a link that cannot hold is collected from only, whatever is wanted", async () => {
  const { link, subject } = made({ link: new FakeLink({ hold: "none" }) });
  assert.is(subject.hold, "unheld");
  assert.equal(await stop(subject), ["[1]"]);
  assert.equal(link.calls, ["stop 40"]);
});

target("a stop that fails brings what came before, and the reason as a note", async () => {
  const { link, subject, changes } = made();
  const answers = [
    () => Promise.resolve(taken("[1]", false)),
    () => Promise.reject(new Error("boom")),
  ];
  link.onStop = () => answers.shift()!();
  assert.equal(await stop(subject), ["[1]"]);
  assert.equal(changes, ["held: boom"]);
  subject.release();
  link.onStop = () => Promise.resolve(taken("[2]", true));
  assert.equal(await stop(subject), ["[2]"]);
  assert.equal(changes, ["held: boom", "held: "]);
});

target(
  "one that does not answer in time is late, and is not asked again until it does",
  async () => {
    const { link, subject, changes } = made();
    const answer = deferred<Taken>();
    link.onStop = () => answer.promise;
    assert.equal(await stop(subject, SHORT), []);
    assert.equal(changes, [`late: no answer within ${SHORT} ms`]);
    assert.equal(await stop(subject, SHORT), []);
    subject.release();
    assert.equal([link.calls, subject.state], [["stop 40 hold"], "late"]);
  },
);

target(
  "what a late target brings at last is in the next collection, and it runs again",
  async () => {
    const { link, subject, changes } = made();
    const answer = deferred<Taken>();
    link.onStop = () => answer.promise;
    await stop(subject, SHORT);
    answer.resolve(taken("[1]", true));
    await turn();
    assert.equal([subject.state, subject.note], ["running", ""]);
    assert.equal(link.calls, ["stop 40 hold", "release"], "nobody else would end its hold");
    assert.is(changes.at(-1), "running: ");
    link.onStop = () => Promise.resolve(taken("[2]", true));
    assert.equal(await stop(subject), ["[1]", "[2]"]);
    subject.release();
    assert.equal(await stop(subject), ["[2]"], "once");
  },
);

target("a late target that has run since is waited for a little, and then in full", async () => {
  const { link, subject } = made({ pid: process.pid });
  const answer = deferred<Taken>();
  link.onStop = () => answer.promise;
  await stop(subject, SHORT);
  await sleep(1);
  const stopping = stop(subject);
  await turn();
  link.onStop = () => Promise.resolve(taken("[2]", true));
  answer.resolve(taken("[1]", true));
  assert.equal(await stopping, ["[1]", "[2]"]);
  assert.equal(link.calls, ["stop 40 hold", "release", "stop 40 hold"]);
});

target("a late target that has not run since is not waited for", async () => {
  const sleeper = spawn("sleep", ["60"]);
  try {
    const wchan = `/proc/${sleeper.pid}/wchan`;
    while (!readFileSync(wchan, "latin1").includes("nanosleep")) await sleep(1);
    const { link, subject } = made({ pid: sleeper.pid! });
    link.onStop = () => new Promise(() => {});
    await stop(subject, SHORT);
    assert.equal(await Promise.race([stop(subject), sleep(0, "waited for")]), []);
  } finally {
    sleeper.kill();
  }
});

target("what a late target brought is not lost when it ends", async () => {
  const { link, subject } = made();
  const answer = deferred<Taken>();
  link.onStop = () => answer.promise;
  await stop(subject, SHORT);
  answer.resolve(taken("[1]", true));
  await turn();
  link.close("exited");
  await turn();
  assert.equal(await stop(subject), ["[1]"]);
  assert.equal(await stop(subject), []);
});

target("one that ends in the middle of a stop is not waited for", async () => {
  const { link, subject, changes } = made();
  const pieces = [
    Promise.resolve(taken("[1]", false)),
    new Promise<Taken>(() => {}),
  ];
  link.onStop = () => pieces.shift()!;
  const stopping = stop(subject);
  await turn();
  link.close("exited");
  assert.equal(await stopping, ["[1]"]);
  assert.equal([subject.state, changes], ["ended", ["ended: exited"]]);
});

target("one that ends while it is late stays ended", async () => {
  const { link, subject } = made();
  link.onStop = () => new Promise(() => {});
  await stop(subject, SHORT);
  link.close("exited");
  await turn();
  assert.equal([subject.state, subject.note], ["ended", "exited"]);
  assert.not(link.calls.includes("release"));
});

target("one that has ended is not asked, nor released", async () => {
  const { link, subject } = made();
  await stop(subject);
  link.close("exited");
  await turn();
  subject.release();
  assert.equal(await stop(subject), []);
  assert.equal([link.calls, subject.state], [["stop 40 hold"], "ended"]);
});

target("sources are fetched through the link; its refusal is handed on", async () => {
  const { link, subject } = made();
  const sources = new Map([["1", "f()"]]);
  link.onFetch = () => Promise.resolve(sources);
  assert.equal(await subject.fetchSources(["1", "2"], { timeout: LONG }), sources);
  assert.equal(link.calls, ["fetch 1,2"]);
  link.onFetch = () => Promise.reject(new Error("no sources"));
  const error = await subject.fetchSources(["1"], { timeout: LONG }).catch((error) => error);
  assert.is(error.message, "no sources");
  assert.is(subject.state, "running");
});

target("one that does not hand its sources over in time is late until it does", async () => {
  const { link, subject, changes } = made();
  const answer = deferred<Map<string, string>>();
  link.onFetch = () => answer.promise;
  await stop(subject);
  const error = await subject.fetchSources(["1"], { timeout: SHORT }).catch((error) => error);
  assert.is(error.message, `no answer within ${SHORT} ms`);
  assert.is(subject.state, "late");
  subject.release();
  assert.equal(link.calls, ["stop 40 hold", "fetch 1"], "it cannot be released yet");
  answer.reject(new Error("too late"));
  await turn();
  assert.equal([subject.state, subject.note], ["running", ""]);
  assert.is(link.calls.at(-1), "release");
  assert.equal(changes, [`late: no answer within ${SHORT} ms`, "running: "]);
});

target("an answer in time leaves no timer behind", async () => {
  const timers = () =>
    process.getActiveResourcesInfo().filter((name) => name === "Timeout")
      .length;
  const before = timers();
  const { subject } = made();
  await stop(subject, 60_000);
  await subject.fetchSources(["1"], { timeout: 60_000 });
  assert.is(timers(), before);
});

target.run();
