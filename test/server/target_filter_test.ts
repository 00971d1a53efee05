import { suite } from "uvu";
import * as assert from "uvu/assert";
import { targetFilter } from "../../src/server/target_filter.ts";
import { Target, type TargetInfo } from "../../src/targets/target.ts";
import { FakeLink } from "../targets/fake_link.ts";
import { targetId } from "../../src/kcov/ids.ts";

const filter = suite("target_filter");

/** One of our own sources. */
const OWN = new URL("../../src/agent/worker/agent.js", import.meta.url).href;

function target(globs: Pick<TargetInfo, "include" | "exclude"> = {}, kind = "fake"): Target {
  const link = Object.assign(new FakeLink(), { kind });
  const info = { name: "api", pid: 1, runtime: "node", ...globs };
  return new Target(link, { id: targetId(1), info, hold: "auto", onChange() {} });
}

filter("a target without globs is measured as the server's globs say", () => {
  const isMeasured = targetFilter({ include: ["**/src/**"], exclude: ["**/*.min.js"] })(target());
  assert.ok(isMeasured("file:///app/src/a.js"));
  assert.not(isMeasured("file:///app/src/a.min.js"));
  assert.not(isMeasured("file:///app/lib/a.js"));
});

filter("a target's globs leave out more, and let nothing in", () => {
  const filterFor = targetFilter({ include: ["**/src/**"], exclude: [] });
  const isMeasured = filterFor(target({ include: ["**/a.js", "**/lib/**"] }));
  assert.ok(isMeasured("file:///app/src/a.js"));
  assert.not(isMeasured("file:///app/src/b.js"));
  assert.not(isMeasured("file:///app/lib/a.js"));
  assert.not(filterFor(target({ exclude: ["**/a.js"] }))("file:///app/src/a.js"));
});

filter("our own sources are measured in the server alone", () => {
  const filterFor = targetFilter({ include: [], exclude: [] });
  assert.not(filterFor(target())(OWN));
  assert.not(filterFor(target({ include: ["**"] }))(OWN));
  assert.ok(filterFor(target({}, "self"))(OWN));
});

filter.run();
