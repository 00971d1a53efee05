import { suite } from "uvu";
import * as assert from "uvu/assert";
import { deferred, turn } from "../fake_link.ts";
import { FakeV8 } from "./fake_page.ts";
import { COLLECT, HOLD, LinkWorld, navigate, qualified, scripts } from "./link_world.ts";

const links = suite("targets/chromium/chromium_link");

links("an idle page is held by being armed, and runs when it is released", async () => {
  const world = new LinkWorld();
  const { page, link } = await world.open("1");
  world.v8.run("1");
  const { coverage, held } = await link.stop(HOLD);
  assert.equal([held, scripts(coverage)], [true, ["1"]]);
  assert.equal(page.take(), ["Debugger.pause", ...COLLECT]);
  page.call();
  link.release();
  await turn();
  assert.equal([page.take(), page.isPaused], [["Debugger.resume"], false]);
});

links("a stop that is not to hold leaves the page running", async () => {
  const world = new LinkWorld();
  const { page, link } = await world.open("1");
  world.v8.run("1");
  const { coverage, held } = await link.stop({ run: 0, hold: false });
  assert.equal([held, scripts(coverage), page.take()], [false, ["1"], COLLECT]);
});

links("pages of one isolate are collected as one, and each is given its own", async () => {
  const world = new LinkWorld();
  const [one, other] = [await world.open("1"), await world.open("2")];
  world.v8.run("2", "1");
  const taken = await Promise.all([one.link.stop(HOLD), other.link.stop(HOLD)]);
  assert.equal(taken.map(({ held }) => held), [true, true]);
  assert.equal(taken.map(({ coverage }) => scripts(coverage)), [["1"], ["2"]]);
  const calls = [...one.page.take(), ...other.page.take()];
  assert.equal(calls.filter((call) => call === "Profiler.takePreciseCoverage").length, 1);
});

links("scripts without a URL belong to no page", async () => {
  const world = new LinkWorld();
  const [one, other] = [await world.open("1"), await world.open()];
  other.page.say("Debugger.scriptParsed", { scriptId: "2", url: "" });
  world.v8.run("1", "2");
  const { coverage } = await one.link.stop({ run: 0, hold: false });
  assert.equal(scripts(coverage), ["1", "2"], "they are for the page that is asked");
});

links("a pause that nobody wants is passed", async () => {
  const { page } = await new LinkWorld().open();
  page.pause("other");
  await turn();
  assert.equal([page.take(), page.isPaused], [["Debugger.resume"], false]);
});

links("an arriving document goes on when its isolate is known and it is a target", async () => {
  const world = new LinkWorld();
  const { page } = await world.open();
  const { promise, resolve } = deferred<void>();
  world.arrival = promise;
  navigate(page, "http://b/");
  page.pause("arriving");
  await turn();
  assert.equal(world.events, ["arrived at http://b/"]);
  assert.equal([page.take(), page.isPaused], [["Runtime.getIsolateId"], true]);
  resolve();
  await turn();
  assert.equal([page.take(), page.isPaused], [["Debugger.resume"], false]);
});

links("a leaving document is collected from, with its sources, before it goes on", async () => {
  const world = new LinkWorld();
  const { page, link } = await world.open("1", "2");
  world.v8.run("1");
  page.pause("leaving");
  await turn();
  const sources = ["1", "2"].map((scriptId) => `Debugger.getScriptSource ${scriptId}`);
  assert.equal(page.take(), [...COLLECT, ...sources, "Debugger.resume"]);

  navigate(page, "http://b/");
  page.parse("3");
  world.v8.run("3");
  const { coverage } = await link.stop({ run: 0, hold: false });
  assert.equal(scripts(coverage), ["1", "3"], "of both documents");
  page.take();
  const [left] = qualified(coverage);
  assert.equal([...await link.fetchSources([left])], [[left, "source of 1"]]);
  assert.equal(page.take(), [], "it is kept");
  assert.equal(scripts((await link.stop({ run: 0, hold: false })).coverage), []);
  assert.equal(["1", "2", "3"].filter((scriptId) => link.owns(scriptId)), ["3"]);
});

links("kept sources that are wanted no more are let go", async () => {
  const world = new LinkWorld();
  const { page, link } = await world.open("1");
  world.v8.run("1");
  page.pause("leaving");
  await turn();
  const [left] = qualified((await link.stop({ run: 0, hold: false })).coverage);
  link.ignore([left]);
  page.answers.set("Debugger.getScriptSource", () => "No script for id: 1");
  assert.equal([...await link.fetchSources([left])], []);
});

links("a document that comes in place of a held one is armed", async () => {
  const { page, link } = await new LinkWorld().open();
  await link.stop(HOLD);
  page.take();
  navigate(page, "http://a/frame", "frame");
  await turn();
  assert.equal(page.take(), []);
  navigate(page, "http://b/");
  await turn();
  assert.equal(page.take(), ["Debugger.pause"]);
});

links("sources that were asked for, or are not wanted, are not kept", async () => {
  const world = new LinkWorld();
  const { page, link } = await world.open("1", "2", "3");
  world.v8.run("1", "2", "3");
  const [one, two] = qualified((await link.stop({ run: 0, hold: false })).coverage);
  await link.fetchSources([one]);
  link.ignore([two]);
  page.take();
  world.v8.run("1", "2");
  page.pause("leaving");
  await turn();
  assert.equal(page.take(), [...COLLECT, "Debugger.getScriptSource 3", "Debugger.resume"]);
  assert.equal(scripts((await link.stop({ run: 0, hold: false })).coverage), ["1"]);
});

links("a document that cannot be collected from is left all the same", async () => {
  const { page } = await new LinkWorld().open("1");
  page.answers.set("Profiler.takePreciseCoverage", () => "Precise coverage has not been started.");
  page.pause("leaving");
  await turn();
  assert.equal(page.take(), [...COLLECT, "Debugger.resume"]);
});

links("a page that arrives in another isolate is collected from there", async () => {
  const world = new LinkWorld();
  const { page, link } = await world.open("1");
  world.v8.run("1");
  const before = await link.stop({ run: 0, hold: false });
  page.v8 = new FakeV8("next");
  navigate(page, "http://b/");
  page.pause("arriving");
  page.parse("1");
  await turn();
  page.v8.run("1");
  const after = await link.stop({ run: 0, hold: false });
  assert.equal([scripts(before.coverage), scripts(after.coverage)], [["1"], ["1"]]);
  assert.is.not(qualified(before.coverage)[0], qualified(after.coverage)[0]);
});

links("a crashed page answers with what is kept, until it is loaded again", async () => {
  const world = new LinkWorld();
  const { page, link } = await world.open("1");
  world.v8.run("1");
  page.pause("leaving");
  await turn();
  page.say("Inspector.targetCrashed");
  page.take();
  const { coverage, held } = await link.stop(HOLD);
  assert.equal([held, scripts(coverage), page.take()], [true, ["1"], []]);
  page.say("Inspector.targetReloadedAfterCrash");
  await link.stop(HOLD);
  assert.equal(page.take(), ["Debugger.pause", ...COLLECT]);
});

links(
  "a dialog that nobody else would answer is answered",
  async () => {
    const { page } = await new LinkWorld().open();
    const dialog = (type: string, hasBrowserHandler = false) => {
      page.say("Page.javascriptDialogOpening", { type, hasBrowserHandler });
      return page.take();
    };
    assert.equal(dialog("alert"), ["Page.handleJavaScriptDialog false"]);
    assert.equal(dialog("beforeunload"), ["Page.handleJavaScriptDialog true"]);
    assert.equal(dialog("alert", true), []);
  },
);

links("a page that is closed while it is held releases those that it was held with", async () => {
  const world = new LinkWorld();
  const [one, other] = [await world.open(), await world.open()];
  await other.link.stop(HOLD);
  assert.ok(one.page.isPaused);
  other.page.close("closed");
  assert.is(await other.link.closed, "closed");
  await turn();
  assert.not(one.page.isPaused);
});

links("a page that was held only with another goes on once it is found elsewhere", async () => {
  const world = new LinkWorld();
  const [one, other] = [await world.open(), await world.open()];
  // It arrives in another isolate, and has not been found there when the other page is held.
  one.page.v8 = new FakeV8("next");
  one.page.answers.set("Runtime.getIsolateId", () => undefined);
  one.page.pause("arriving");
  const stopping = other.link.stop(HOLD);
  await turn();
  one.page.answers.clear();
  one.page.reply("Runtime.getIsolateId", { id: "next" });
  one.page.reply("Runtime.getIsolateId", { id: "next" });
  await stopping;
  await turn();
  assert.not(one.page.isPaused);
});

links("a detached page runs, and its session ends", async () => {
  const { page, link } = await new LinkWorld().open();
  await link.stop(HOLD);
  page.call();
  const paused = page.isPaused;
  await link[Symbol.asyncDispose]();
  assert.equal([paused, page.take().at(-1)], [true, "Debugger.resume"]);
  assert.is(await link.closed, "detached");
});

links.run();
