import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CdpSession } from "../../../src/targets/cdp/session.ts";
import { KeptSources } from "../../../src/targets/chromium/kept_sources.ts";
import { FakePage } from "./fake_page.ts";

const kept = suite("targets/chromium/kept_sources");

function world() {
  const page = new FakePage();
  return { page, sources: new KeptSources(new CdpSession(page)) };
}

const key = (scriptId: string) => `5.${scriptId}`;

kept("sources are fetched once, and handed out once", async () => {
  const { page, sources } = world();
  await sources.fetch(["1", "2"], key);
  await sources.fetch(["2"], key);
  assert.equal(page.take(), ["Debugger.getScriptSource 1", "Debugger.getScriptSource 2"]);
  assert.equal([...sources.take(["5.2", "5.3"])], [["5.2", "source of 2"]]);
  assert.equal([...sources.take(["5.1", "5.2"])], [["5.1", "source of 1"]]);
});

kept("those without a key are not asked for", async () => {
  const { page, sources } = world();
  await sources.fetch(["1", "2"], (scriptId) => scriptId === "1" ? undefined : key(scriptId));
  assert.equal(page.take(), ["Debugger.getScriptSource 2"]);
});

kept("those that are gone are left out, and asked for again the next time", async () => {
  const { page, sources } = world();
  page.answers.set("Debugger.getScriptSource", () => "No script for id: 1");
  await sources.fetch(["1"], key);
  assert.is(sources.take(["5.1"]).size, 0);
  page.answers.clear();
  await sources.fetch(["1"], key);
  assert.is(sources.take(["5.1"]).size, 1);
});

kept("those fetched first are let go first when they are too many", async () => {
  const { page, sources } = world();
  const large = "x".repeat(30 * 1024 * 1024);
  const answers = [large, "small", large, large];
  page.answers.set("Debugger.getScriptSource", () => ({ scriptSource: answers.shift() }));
  for (const scriptId of ["1", "2", "3", "4"]) await sources.fetch([scriptId], key);
  const left = sources.take(["5.1", "5.2", "5.3", "5.4"]);
  assert.equal([...left.keys()], ["5.2", "5.3", "5.4"]);
});

kept("those that were handed out take no room", async () => {
  const { page, sources } = world();
  const large = "x".repeat(30 * 1024 * 1024);
  page.answers.set("Debugger.getScriptSource", () => ({ scriptSource: large }));
  await sources.fetch(["1", "2"], key);
  sources.take(["5.2"]);
  await sources.fetch(["3"], key);
  assert.equal([...sources.take(["5.1", "5.3"]).keys()], ["5.1", "5.3"]);
});

kept.run();
