import { suite } from "uvu";
import * as assert from "uvu/assert";
import { turn } from "../fake_link.ts";
import { COLLECT, HOLD, LinkWorld, navigate } from "./link_world.ts";

const navigations = suite("targets/chromium/chromium_link, navigations");

navigations("a navigation releases a page that is about to be held", async () => {
  const { page, link } = await new LinkWorld().open();
  page.answers.set("Profiler.takePreciseCoverage", () => undefined);
  const stopping = link.stop(HOLD);
  await turn();
  assert.ok(link.pauser.isWanted);
  page.say("Page.frameStartedNavigating", { frameId: "main", navigationType: "reload" });
  assert.not(link.pauser.isWanted);
  page.reply("Profiler.takePreciseCoverage", { result: [] });
  await stopping;
});

const OTHERS = [
  ["of a frame", { frameId: "frame", navigationType: "reload" }],
  ["within the document", { frameId: "main", navigationType: "sameDocument" }],
] as const;

for (const [what, params] of OTHERS) {
  navigations(`a navigation ${what} does not release a page that is about to be held`, async () => {
    const { page, link } = await new LinkWorld().open();
    page.answers.set("Profiler.takePreciseCoverage", () => undefined);
    const stopping = link.stop(HOLD);
    await turn();
    page.say("Page.frameStartedNavigating", params);
    assert.equal([link.pauser.isWanted, link.isReachable], [true, true]);
    page.reply("Profiler.takePreciseCoverage", { result: [] });
    assert.ok((await stopping).held);
  });
}

navigations("a navigation leaves a hold that stands as it is", async () => {
  const { page, link } = await new LinkWorld().open();
  await link.stop(HOLD);
  page.say("Page.frameStartedNavigating", { frameId: "main", navigationType: "reload" });
  assert.equal([link.pauser.isWanted, link.isReachable], [true, false]);
});

navigations("a page that navigates is said not to be held, until it has navigated", async () => {
  const { page, link } = await new LinkWorld().open();
  page.say("Page.frameStartedNavigating", { frameId: "main", navigationType: "reload" });
  assert.not((await link.stop(HOLD)).held);
  assert.equal(page.take(), COLLECT);
  navigate(page, "http://a/frame", "frame");
  assert.not(link.isReachable);
  navigate(page, "http://b/");
  assert.equal([link.isReachable, link.url], [true, "http://b/"]);
  assert.ok((await link.stop(HOLD)).held);
});

navigations(
  "a navigation that came to nothing is over when the frame has stopped loading",
  async () => {
    const { page, link } = await new LinkWorld().open();
    page.say("Page.frameStartedNavigating", { frameId: "main", navigationType: "reload" });
    page.say("Page.frameStoppedLoading", { frameId: "frame" });
    assert.not(link.isReachable);
    page.say("Page.frameStoppedLoading", { frameId: "main" });
    assert.ok(link.isReachable);
  },
);

navigations.run();
