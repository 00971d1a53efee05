import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CdpSession } from "../../../src/targets/cdp/session.ts";
import { Isolate, type Member } from "../../../src/targets/chromium/isolate.ts";
import { Isolates } from "../../../src/targets/chromium/isolates.ts";
import { Pauser } from "../../../src/targets/chromium/pauser.ts";
import { turn } from "../fake_link.ts";
import { FakePage, FakeV8 } from "./fake_page.ts";

const isolates = suite("targets/chromium/isolate");

const HOLD = { hold: true };

/** A member that notes its calls and passes its pauses at once. */
class FakeMember implements Member {
  readonly page: FakePage;
  readonly session: CdpSession;
  readonly pauser: Pauser;
  isReachable = true;
  /** The scripts of its documents. */
  scripts: string[];
  unwanted: string[] = [];
  /** The isolate in which it will be found. */
  next: Isolate | undefined;
  readonly #kept: string[] = [];

  constructor(isolate: Isolate, v8: FakeV8, scripts: string[] = []) {
    this.page = new FakePage(v8);
    this.session = new CdpSession(this.page);
    this.pauser = new Pauser(this.session, {
      onStill: () => isolate.yieldTo(this),
      onPause: () => this.pauser.resume(),
    });
    this.scripts = scripts;
    isolate.join(this);
  }

  readHits(): Promise<void> {
    return Promise.resolve();
  }

  owns(scriptId: string): boolean {
    return this.scripts.includes(scriptId);
  }

  wants(qualified: string): boolean {
    return !this.unwanted.includes(qualified);
  }

  keep(coverage: Buffer): void {
    const scripts = JSON.parse(coverage.toString()) as { scriptId: string }[];
    this.#kept.push(...scripts.map(({ scriptId }) => scriptId));
  }

  move(): Isolate {
    return this.next!;
  }

  /** The scripts that it was given since the last call. */
  take(): string[] {
    return this.#kept.splice(0);
  }
}

function world(...scripts: string[][]) {
  const v8 = new FakeV8("v8");
  const isolate = new Isolate("v8", 5);
  const members = scripts.map((ids) => new FakeMember(isolate, v8, ids));
  return { v8, isolate, members };
}

const COLLECT = ["Runtime.getIsolateId", "Profiler.takePreciseCoverage"];

isolates("a page that is alone is armed, by one command, and collected from", async () => {
  const { v8, isolate, members: [page] } = world(["1"]);
  v8.run("1");
  assert.ok(await isolate.stop(page, HOLD));
  assert.equal(page.page.take(), ["Debugger.pause", ...COLLECT]);
  assert.equal([page.take(), page.pauser.isPaused], [["5.1"], false]);
});

isolates("a stop that is not to hold collects only", async () => {
  const { v8, isolate, members: [page] } = world(["1"]);
  v8.run("1");
  assert.not(await isolate.stop(page, { hold: false }));
  assert.equal([page.page.take(), page.take()], [COLLECT, ["5.1"]]);
});

isolates("pages of one isolate are collected as one, and each gets its own scripts", async () => {
  const { v8, isolate, members: [one, other] } = world(["1", "2"], ["3"]);
  v8.run("3", "1", "2");
  const held = await Promise.all([isolate.stop(one, HOLD), isolate.stop(other, HOLD)]);
  assert.equal(held, [true, true]);
  assert.equal(one.page.take(), ["Debugger.pause", "Runtime.evaluate", ...COLLECT]);
  assert.equal(other.page.take(), []);
  assert.equal([one.take(), other.take()], [["5.1", "5.2"], ["5.3"]]);
});

isolates("scripts of documents that are gone are given to the page that is asked", async () => {
  const { v8, isolate, members: [one, other] } = world(["1"], ["2"]);
  v8.run("1", "2", "3");
  await isolate.collect(other);
  assert.equal([one.take(), other.take()], [["5.1"], ["5.2", "5.3"]]);
});

isolates("scripts that a page does not want are left out", async () => {
  const { v8, isolate, members: [page] } = world(["1", "2"]);
  page.unwanted = ["5.1"];
  v8.run("1", "2");
  await isolate.collect(page);
  assert.equal(page.take(), ["5.2"]);
});

isolates("an isolate goes on when the last of its pages is released", async () => {
  const { isolate, members: [one, other] } = world([], []);
  await isolate.stop(one, HOLD);
  await isolate.stop(other, HOLD);
  isolate.release(one);
  await turn();
  assert.ok(one.page.isPaused);
  isolate.release(other);
  await turn();
  assert.not(one.page.isPaused);
  assert.equal([one.pauser.isWanted, other.pauser.isWanted], [false, false]);
});

isolates("the release of a page that is not held lets nobody go", async () => {
  const { isolate, members: [one, other] } = world([], []);
  await isolate.stop(one, HOLD);
  isolate.release(other);
  await turn();
  assert.ok(one.page.isPaused);
});

isolates("a held page that leaves releases those that it was held with", async () => {
  const { isolate, members: [one, other] } = world([], []);
  await isolate.stop(other, HOLD);
  assert.ok(one.page.isPaused);
  isolate.leave(other);
  await turn();
  assert.equal([one.page.isPaused, one.pauser.isWanted], [false, false]);
  assert.ok(other.pauser.isWanted, "its own hold lasts");
});

isolates(
  "a page that leaves others that are held leaves them so, and is held no more",
  async () => {
    const { isolate, members: [one, other] } = world([], []);
    await isolate.stop(one, HOLD);
    isolate.leave(other);
    await turn();
    assert.equal([one.page.isPaused, other.pauser.isWanted], [true, false]);
  },
);

isolates("whoever joins while it is held stays in a pause that it comes to", async () => {
  const { v8, isolate, members: [one] } = world([]);
  await isolate.stop(one, HOLD);
  const late = new FakeMember(isolate, v8);
  assert.ok(late.pauser.isWanted);
  assert.not(one.pauser.isStill, "being armed does not stop the other");
  isolate.release(one);
  assert.not(late.pauser.isWanted);
});

isolates("a hold goes along with a page that moves to another isolate", async () => {
  const { isolate, members: [held] } = world([]);
  await isolate.stop(held, HOLD);
  isolate.leave(held);
  const next = new Isolate("next", 6);
  next.join(held);
  const late = new FakeMember(next, new FakeV8("next"));
  assert.ok(late.pauser.isWanted);
  next.release(held);
  assert.equal([late.pauser.isWanted, held.pauser.isWanted], [false, false]);
});

isolates("where a page has paused already, it is the one that is asked", async () => {
  const { isolate, members: [one, other] } = world([], []);
  other.pauser.want();
  other.page.pause("other");
  assert.ok(await isolate.stop(one, HOLD));
  assert.equal([one.page.take(), other.page.take()], [[], COLLECT]);
});

isolates("a page that no command reaches is collected from by way of another", async () => {
  const { v8, isolate, members: [gone, other] } = world(["1"], ["2"]);
  gone.isReachable = false;
  v8.run("1", "2");
  assert.ok(await isolate.stop(gone, HOLD));
  assert.equal(gone.page.take(), []);
  assert.equal([gone.take(), other.take()], [["5.1"], ["5.2"]]);
});

isolates("where no command reaches anybody nobody is held", async () => {
  const { isolate, members: [gone] } = world([]);
  gone.isReachable = false;
  assert.not(await isolate.stop(gone, HOLD));
  assert.equal(gone.page.take(), COLLECT);
});

isolates("a hold that ends while it is collected from counts as none", async () => {
  const { isolate, members: [page] } = world([]);
  page.page.answers.set("Profiler.takePreciseCoverage", () => {
    page.pauser.yield();
    return { result: [] };
  });
  assert.not(await isolate.stop(page, HOLD));
});

isolates("what a page that has moved brings is the other isolate's", async () => {
  const { v8, isolate, members: [page] } = world(["1"]);
  const next = new Isolate("next", 6);
  const there = new FakeMember(next, new FakeV8("next"), ["1"]);
  page.next = next;
  page.page.v8 = new FakeV8("next");
  page.page.v8.run("1");
  v8.run("1");
  await isolate.collect(page);
  assert.equal([page.take(), there.take()], [[], ["6.1"]]);
});

isolates("pages are let run for some time after a hold, and not awaited during one", async () => {
  const { isolate, members: [page] } = world([]);
  page.page.pause("other");
  await page.pauser.resumed;
  page.pauser.want();
  page.page.pause("other");
  await isolate.stop(page, HOLD);
  await isolate.letRun(60_000_000);
  isolate.release(page);
  await isolate.letRun(3000);
  assert.ok(performance.now() >= await page.pauser.resumed + 3);
  assert.equal(page.page.take().at(-1), "Debugger.resume");
});

isolates("an isolate has one object while something is in it, and then one anew", () => {
  const known = new Isolates();
  const one = known.get("a");
  const member = new FakeMember(one, new FakeV8("a"));
  assert.is(known.get("a"), one);
  assert.is.not(known.get("b"), one);
  one.leave(member);
  known.get("b");
  assert.is.not(known.get("a"), one);
});

isolates("no two isolates call a script the same", () => {
  const known = new Isolates();
  const ids = [known.get("a"), known.unknown(), known.unknown(), known.get("b")]
    .map((isolate) => isolate.qualify("1"));
  assert.is(new Set(ids).size, 4);
  const isolate = known.get("a");
  assert.is(isolate.unqualify(isolate.qualify("17")), "17");
  assert.is(isolate.unqualify(known.get("b").qualify("17")), undefined);
});

isolates.run();
