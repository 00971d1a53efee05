import { suite } from "uvu";
import * as assert from "uvu/assert";
import { InspectorLink, type InspectorOptions } from "../../src/targets/inspector_link.ts";
import { FakeInspector } from "./fake_inspector.ts";
import { deferred, turn } from "./fake_link.ts";

const links = suite("targets/inspector_link");

async function connected(options: Partial<InspectorOptions> = {}) {
  const inspector = new FakeInspector();
  const broken: string[] = [];
  const link = await InspectorLink.start(inspector, {
    runtime: "node v20.20.2",
    timeout: 1000,
    onFarewell: () => Promise.resolve(),
    onBroken: () => void broken.push("broken"),
    ...options,
  });
  const started = inspector.take();
  return { inspector, link, broken, started };
}

const scripts = (coverage: Uint8Array): string[] =>
  JSON.parse(Buffer.from(coverage).toString()).map(({ scriptId }: { scriptId: string }) =>
    scriptId
  );

links("coverage is on, and pauses are skipped, when it is connected", async () => {
  const { started, link } = await connected();
  assert.equal(started.filter((call) => /^(?:Profiler|Debugger)/.test(call)), [
    "Profiler.enable",
    "Profiler.startPreciseCoverage",
    "Debugger.enable",
    "Debugger.setSkipAllPauses true",
  ]);
  assert.equal([link.kind, link.hold], ["inspector", "pause"]);
});

links("an inspector that refuses coverage is not connected to", async () => {
  const inspector = new FakeInspector();
  inspector.answers.set("Profiler.enable", () => "no profiler here");
  const rest = { runtime: "x", onFarewell: () => Promise.resolve(), onBroken() {} };
  const refused = InspectorLink.start(inspector, { timeout: 1000, ...rest });
  const reason = await refused.then(() => "", (error) => error.message);
  assert.match(reason, "Profiler.enable: no profiler here");
  assert.ok(inspector.isClosed);
});

links("an inspector that never answers is given up in time", async () => {
  const inspector = new FakeInspector();
  inspector.answers.set("Profiler.enable", () => undefined);
  const rest = { runtime: "x", onFarewell: () => Promise.resolve(), onBroken() {} };
  const late = InspectorLink.start(inspector, { timeout: 20, ...rest });
  assert.is(await late.then(() => "", (error) => error.message), "no answer within 20 ms");
  assert.ok(inspector.isClosed);
});

links(
  "a target that is killed while its last coverage is waited for ends, and nothing else",
  async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listen);
    const { inspector, link } = await connected();
    inspector.answers.set("Profiler.takePreciseCoverage", () => undefined);
    inspector.say({ method: "NodeRuntime.waitingForDisconnect", params: {} });
    await turn();
    inspector.close("connection lost");
    assert.is(await link.closed, "connection lost");
    await turn();
    process.off("unhandledRejection", listen);
    assert.equal(unhandled, []);
  },
);

links("a target without a debugger is measured, and not held", async () => {
  const inspector = new FakeInspector();
  inspector.answers.set("Debugger.enable", () => "not allowed");
  const rest = { runtime: "x", onFarewell: () => Promise.resolve(), onBroken() {} };
  const link = await InspectorLink.start(inspector, { timeout: 1000, ...rest });
  assert.is(link.hold, "none");
  inspector.take();
  assert.is((await link.stop({ run: 0, hold: false })).held, false);
  assert.equal(inspector.take(), ["Profiler.takePreciseCoverage"]);
});

links("a stop pauses and collects while it is paused", async () => {
  const { inspector, link } = await connected();
  const { coverage, held } = await link.stop({ run: 0, hold: true });
  assert.equal([held, scripts(coverage), inspector.isPaused], [true, ["0"], true]);
  assert.equal(inspector.take(), [
    "Debugger.setSkipAllPauses false",
    "Runtime.awaitPromise",
    "Profiler.takePreciseCoverage",
  ]);
  link.release();
  await turn();
  assert.equal(inspector.take().sort(), ["Debugger.resume", "Debugger.setSkipAllPauses true"]);
  assert.is(inspector.isPaused, false);
});

links("a second stop of a held target keeps it held", async () => {
  const { inspector, link } = await connected();
  await link.stop({ run: 0, hold: true });
  inspector.take();
  assert.is((await link.stop({ run: 0, hold: true })).held, true);
  assert.equal(inspector.take(), ["Profiler.takePreciseCoverage"]);
});

links("what runs all the time is interrupted", async () => {
  const { inspector, link } = await connected();
  inspector.isBusy = true;
  assert.is((await link.stop({ run: 0, hold: true })).held, true);
  assert.ok(inspector.take().includes("Debugger.pause"));
});

links("the trap is set anew when it has gone with its context", async () => {
  const { inspector, link } = await connected();
  let failures = 1;
  const { answers } = inspector;
  answers.set("Runtime.awaitPromise", () => {
    if (failures-- === 0) answers.delete("Runtime.awaitPromise");
    return "Could not find object with given id";
  });
  assert.is((await link.stop({ run: 0, hold: true })).held, true);
  assert.ok(inspector.take().filter((call) => call === "Runtime.evaluate").length > 0);
});

links("a target that never pauses is collected from, and said not to be held", async () => {
  const { inspector, link } = await connected();
  inspector.answers.set("Runtime.awaitPromise", () => ({}));
  const { coverage, held } = await link.stop({ run: 0, hold: true });
  assert.equal([held, scripts(coverage)], [false, ["1"]]);
  link.release();
});

links("a pause that comes after the release is ended", async () => {
  const { inspector, link } = await connected();
  await link.stop({ run: 0, hold: true });
  link.release();
  await turn();
  inspector.take();
  inspector.say({ method: "Debugger.paused", params: { reason: "other", callFrames: [] } });
  await turn();
  assert.ok(inspector.take().includes("Debugger.resume"));
});

links("another debugger that ends a hold is noticed", async () => {
  const { inspector, link, broken } = await connected();
  await link.stop({ run: 0, hold: true });
  inspector.resume();
  assert.equal(broken, ["broken"]);
  link.release();
  await turn();
  await link.stop({ run: 0, hold: true });
  link.release();
  await turn();
  assert.equal(broken, ["broken"]);
});

links("a hold that ends while it is collected from counts as none", async () => {
  const { inspector, link } = await connected();
  inspector.answers.set("Profiler.takePreciseCoverage", () => {
    inspector.resume();
    return { result: [] };
  });
  assert.is((await link.stop({ run: 0, hold: true })).held, false);
});

links("sources that V8 has no more are left out", async () => {
  const { inspector, link } = await connected();
  const answers = [{ scriptSource: "one" }, "No script for id: 2", { scriptSource: 7 }];
  inspector.answers.set("Debugger.getScriptSource", () => answers.shift());
  assert.equal([...await link.fetchSources(["1", "2", "3"])], [["1", "one"]]);
});

links("ignored scripts and the runtime's own are not handed on", async () => {
  const { inspector, link } = await connected();
  const script = (scriptId: string, url: string) => ({ scriptId, url, functions: [] });
  inspector.answers.set("Profiler.takePreciseCoverage", () => ({
    result: [script("1", "file:///a.js"), script("2", "file:///b.js"), script("3", "node:fs")],
    timestamp: 1,
  }));
  link.ignore(["2"]);
  const { coverage } = await link.stop({ run: 0, hold: false });
  assert.equal(scripts(coverage), ["1"]);
});

links("a stop is rejected when the target goes", async () => {
  const { inspector, link } = await connected();
  inspector.answers.set("Runtime.awaitPromise", () => undefined);
  const stopping = link.stop({ run: 0, hold: true });
  await turn();
  inspector.close("connection lost");
  assert.match(await stopping.then(() => "", (error) => error.message), "connection lost");
  assert.is(await link.closed, "connection lost");
});

links("one that waits before its first line stands still by itself", async () => {
  const { inspector, link } = await connected({ starts: 1 });
  assert.is((await link.stop({ run: 0, hold: true })).held, true);
  assert.equal(inspector.take(), ["Profiler.takePreciseCoverage"]);
  link.letStart();
  await turn();
  assert.equal(inspector.take(), [], "it is held");
  link.release();
  await turn();
  assert.ok(inspector.take().includes("Runtime.runIfWaitingForDebugger"));
  await link[Symbol.asyncDispose]();
});

links("one that waits is told to start until it pauses at its first line", async () => {
  const { inspector, link } = await connected({ starts: 1 });
  link.letStart();
  const times = () =>
    inspector.calls.filter((call) => call === "Runtime.runIfWaitingForDebugger").length;
  while (times() < 3) await turn();
  inspector.pause("debugCommand");
  await turn();
  assert.equal([inspector.isPaused, inspector.take().at(-1)], [false, "Debugger.resume"]);
  await link[Symbol.asyncDispose]();
});

links("one that waits of two modules is told to start until it has paused in both", async () => {
  const { inspector, link } = await connected({ starts: 2 });
  link.letStart();
  const toldTo = async () => {
    inspector.take();
    while (!inspector.calls.includes("Runtime.runIfWaitingForDebugger")) await turn();
  };
  await toldTo();
  inspector.pause("debugCommand");
  await toldTo();
  inspector.pause("other");
  await toldTo();
  assert.not.ok(inspector.calls.includes("Debugger.setSkipAllPauses true"));
  inspector.pause("debugCommand");
  await turn();
  assert.ok(inspector.take().includes("Debugger.setSkipAllPauses true"));
  await link[Symbol.asyncDispose]();
});

links("a farewell hands over the last coverage, and then the target may exit", async () => {
  const { promise, resolve } = deferred<void>();
  const taken: string[][] = [];
  const { inspector, link } = await connected({
    onFarewell: (_, coverage) => {
      taken.push(scripts(coverage));
      return promise;
    },
  });
  inspector.say({ method: "NodeRuntime.waitingForDisconnect" });
  await turn();
  assert.equal([taken, inspector.isClosed], [[["1"]], false]);
  // A client that reads meanwhile need not wait.
  assert.is((await link.stop({ run: 0, hold: true })).held, true);
  resolve();
  await turn();
  assert.is(inspector.isClosed, false, "it is held");
  link.release();
  assert.is(await link.closed, "exited");
});

links("a detached target runs", async () => {
  const { inspector, link } = await connected();
  await link.stop({ run: 0, hold: true });
  await link[Symbol.asyncDispose]();
  assert.ok(inspector.take().includes("Debugger.resume"));
  assert.is(await link.closed, "detached");
});

links.run();
