import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CdpSession } from "../../../src/targets/cdp/session.ts";
import { Pauser } from "../../../src/targets/chromium/pauser.ts";
import { turn } from "../fake_link.ts";
import { FakePage } from "./fake_page.ts";

const pausers = suite("targets/chromium/pauser");

function world() {
  const page = new FakePage();
  const events: string[] = [];
  const pauser = new Pauser(new CdpSession(page), {
    onStill: () => events.push("still"),
    onPause: (pause) => events.push(pause),
  });
  return { page, pauser, events };
}

pausers("an idle page is armed by one command, and runs on", async () => {
  const { page, pauser, events } = world();
  assert.not(pauser.isStill);
  await pauser.hold();
  assert.equal(page.take(), ["Debugger.pause"]);
  assert.equal([pauser.isStill, pauser.isPaused, events], [true, false, []]);
});

pausers("one that is armed is not armed again", async () => {
  const { page, pauser } = world();
  await pauser.hold();
  pauser.release();
  page.take();
  await pauser.hold();
  assert.equal([pauser.isStill, page.take()], [true, []]);
});

pausers("a page that is held stays in a pause that it comes to until it is released", async () => {
  const { page, pauser, events } = world();
  await pauser.hold();
  page.call();
  assert.equal([pauser.isPaused, pauser.isStill, events], [true, true, ["still"]]);
  pauser.release();
  assert.equal(events, ["still", "other"]);
});

pausers("a pause that nobody wants is one to be passed", async () => {
  const { page, pauser, events } = world();
  await pauser.hold();
  pauser.release();
  page.call();
  assert.equal(events, ["still", "other"]);
  page.take();
  pauser.resume();
  await turn();
  assert.equal([page.take(), page.isPaused], [["Debugger.resume"], false]);
});

pausers("a page that was told to go on is armed only once it has gone on", async () => {
  const { page, pauser } = world();
  page.goesOnAtOnce = false;
  page.pause("other");
  pauser.resume();
  let isHeld = false;
  const holding = pauser.hold().then(() => isHeld = true);
  await turn();
  assert.equal([page.take(), isHeld, pauser.isStill], [["Debugger.resume"], false, false]);
  page.goOn();
  await holding;
  assert.equal([page.take(), pauser.isStill], [["Debugger.pause"], true]);
});

pausers("a page that refuses to go on, or has gone, is not waited for", async () => {
  const { page, pauser } = world();
  page.answers.set("Debugger.resume", () => "Can only perform operation while paused.");
  page.pause("other");
  pauser.resume();
  assert.type(await pauser.resumed, "number");
  page.answers.clear();
  page.goesOnAtOnce = false;
  page.pause("other");
  pauser.resume();
  await turn();
  page.close("closed");
  assert.type(await pauser.resumed, "number");
});

pausers("when it last went on is told, and long ago before that", async () => {
  const { page, pauser } = world();
  assert.is(await pauser.resumed, -Infinity);
  page.goesOnAtOnce = false;
  page.pause("other");
  pauser.resume();
  await turn();
  const before = performance.now();
  page.goOn();
  assert.ok(await pauser.resumed >= before);
});

for (const why of ["arriving", "leaving"] as const) {
  pausers(`a page that is ${why} is told from one that has paused for another reason`, () => {
    const { page, pauser, events } = world();
    pauser.addHook("90");
    page.pause(why);
    assert.equal(events, ["still", why]);
  });

  pausers(`only the document's own hook says that it is ${why}`, () => {
    const { page, pauser, events } = world();
    pauser.addHook("90");
    pauser.reset();
    page.pause(why);
    assert.equal(events, ["still", "other"]);
  });
}

pausers("a pause that was passed while it is held is over at the release, at once", async () => {
  const { page, pauser, events } = world();
  pauser.addHook("90");
  page.pause("arriving");
  pauser.want();
  pauser.resume();
  await turn();
  assert.equal([page.take(), pauser.isPaused], [[], true]);
  pauser.release();
  assert.equal(events, ["still", "arriving", "other"]);
});

pausers("a pause that is being passed is told once, whatever is released meanwhile", async () => {
  const { page, pauser, events } = world();
  page.pause("other");
  pauser.want();
  pauser.release();
  pauser.release();
  assert.equal(events, ["still", "other"]);
  pauser.resume();
  await turn();
  page.pause("other");
  assert.equal(events, ["still", "other", "still", "other"]);
});

pausers("pausing has an idle page call something, which is compiled once a document", async () => {
  const { page, pauser } = world();
  const pause = async () => {
    await pauser.pause();
    assert.ok(pauser.isPaused);
    pauser.release();
    pauser.resume();
    await turn();
    return page.take();
  };
  assert.equal(await pause(), ["Debugger.pause", "Runtime.evaluate", "Debugger.resume"]);
  assert.equal(await pause(), ["Debugger.pause", "Runtime.awaitPromise", "Debugger.resume"]);
  pauser.reset();
  assert.equal(await pause(), ["Debugger.pause", "Runtime.evaluate", "Debugger.resume"]);
});

pausers("pausing a page that is paused takes no command", async () => {
  const { page, pauser } = world();
  page.pause("other");
  await pauser.pause();
  assert.equal([page.take(), pauser.isPaused, pauser.isWanted], [[], true, true]);
});

pausers("one whose pause another page has taken waits no more, and is armed no more", async () => {
  const { page, pauser } = world();
  page.answers.set("Runtime.evaluate", () => undefined);
  let isOver = false;
  const pausing = pauser.pause().then(() => isOver = true);
  await turn();
  assert.equal([isOver, pauser.isStill], [false, true]);
  pauser.yield();
  await pausing;
  assert.not(pauser.isStill);
});

pausers("a document that comes in place of one that is held is armed", async () => {
  const { page, pauser } = world();
  await pauser.hold();
  page.take();
  pauser.reset();
  assert.not(pauser.isStill);
  await turn();
  assert.equal([page.take(), pauser.isStill], [["Debugger.pause"], true]);
});

pausers("a document that comes in place of one that is not held is left alone", async () => {
  const { page, pauser } = world();
  await pauser.hold();
  pauser.release();
  page.take();
  pauser.reset();
  await turn();
  assert.equal([page.take(), pauser.isStill], [[], false]);
});

pausers("an answer that was meant for the document before says nothing of this one", async () => {
  const { page, pauser } = world();
  page.answers.set("Debugger.pause", () => undefined);
  const holding = pauser.hold();
  await turn();
  pauser.release();
  pauser.reset();
  page.reply("Debugger.pause", {});
  await holding;
  assert.not(pauser.isStill);
});

pausers("a function of the document before is not called", async () => {
  const { page, pauser } = world();
  page.answers.set("Runtime.evaluate", () => undefined);
  const pausing = pauser.pause();
  await turn();
  pauser.reset();
  page.reply("Runtime.evaluate", { result: { objectId: "7" } });
  await pausing;
  page.take();
  const again = pauser.pause();
  await turn();
  assert.equal(page.take(), ["Debugger.pause", "Runtime.evaluate"]);
  page.reply("Runtime.evaluate", { result: { objectId: "7" } });
  await again;
});

pausers(
  "a page that pauses before it is said to be armed is not armed once it goes on",
  async () => {
    const { page, pauser } = world();
    page.answers.set("Debugger.pause", () => undefined);
    const holding = pauser.hold();
    await turn();
    page.pause("other");
    page.reply("Debugger.pause", {});
    await holding;
    assert.ok(pauser.isStill);
    pauser.release();
    pauser.resume();
    await turn();
    assert.not(pauser.isStill);
  },
);

pausers.run();
