import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FRAME, packNumber } from "../../src/messages/protocol.ts";
import { FakeAgent } from "./fake_agent.ts";
import { deferred, turn } from "./fake_link.ts";

const agentLink = suite("targets/agent_link");

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const rejection = (work: Promise<unknown>): Promise<Error> =>
  work.then(() => assert.unreachable(), (error) => error) as Promise<Error>;

const HOLD = { run: 0, hold: true };

agentLink("a welcome says how and for how long the target is held", () => {
  const agent = new FakeAgent();
  const welcome = {
    id: 1,
    name: "a",
    holdTimeout: 1500,
    pipe: "/run/kcovfs/1-a/pipe-1",
    isHeld: true,
    areas: [],
  };
  agent.link.welcome(welcome);
  const [{ type, body }] = agent.take();
  assert.equal([type, JSON.parse(text(body))], [FRAME.welcome, welcome]);
});

agentLink("a stop is one batch, which collects, and brings the coverage as it is", async () => {
  const agent = new FakeAgent();
  const stopping = agent.link.stop({ run: 40.6, hold: true });
  const [batch, ...more] = agent.takeBatches();
  assert.equal(more, []);
  assert.equal([batch.hold, batch.run], [true, 41]);
  assert.equal(batch.messages.map(({ method }) => method), ["Profiler.takePreciseCoverage"]);
  agent.finish(batch.number, { held: true, coverage: '[{"scriptId":"é"}]' });
  const { coverage, held } = await stopping;
  assert.equal([text(coverage), held], ['[{"scriptId":"é"}]', true]);
});

agentLink("a hold that failed is told, with the coverage", async () => {
  const agent = new FakeAgent();
  const stopping = agent.link.stop(HOLD);
  agent.finish(agent.takeBatches()[0].number, { held: false, coverage: "[1]" });
  const { coverage, held } = await stopping;
  assert.equal([text(coverage), held], ["[1]", false]);
});

agentLink("a collection without a hold says so in its batch", async () => {
  const agent = new FakeAgent();
  const stopping = agent.link.stop({ run: 0, hold: false });
  const [batch] = agent.takeBatches();
  assert.is(batch.hold, false);
  agent.finish(batch.number, { held: false, coverage: "[]" });
  await stopping;
  agent.link.release();
  assert.equal(agent.take(), [], "there is nothing to release");
});

agentLink("a batch that ends without coverage has brought none", async () => {
  const agent = new FakeAgent();
  const stopping = agent.link.stop(HOLD);
  agent.finish(agent.takeBatches()[0].number, { held: true });
  assert.is(text((await stopping).coverage), "");
});

agentLink("batches are told apart by their numbers", async () => {
  const agent = new FakeAgent();
  const stops = [agent.link.stop(HOLD), agent.link.stop(HOLD)];
  const [one, other] = agent.takeBatches();
  agent.send(FRAME.taken, packNumber(one.number), "[1]");
  agent.finish(other.number, { held: true, coverage: "[2]" });
  agent.finish(one.number, { held: false });
  const [first, second] = await Promise.all(stops);
  assert.equal([text(first.coverage), first.held], ["[1]", false]);
  assert.equal([text(second.coverage), second.held], ["[2]", true]);
});

agentLink("a hold is released once", async () => {
  const agent = new FakeAgent();
  agent.link.release();
  assert.equal(agent.take(), []);
  const stopping = agent.link.stop(HOLD);
  agent.finish(agent.takeBatches()[0].number, { held: true });
  await stopping;
  agent.link.release();
  agent.link.release();
  assert.equal(agent.take().map(({ type }) => type), [FRAME.release]);
});

agentLink("what need not be collected is passed on", () => {
  const agent = new FakeAgent();
  agent.link.ignore(["1", "22"]);
  const [ignore] = agent.take();
  assert.equal([ignore.type, text(ignore.body)], [FRAME.ignore, '["1","22"]']);
});

/** Answers the one batch of a fetch; returns the code that it evaluates and whether it holds. */
async function answer(agent: FakeAgent, result: object): Promise<{ text: string; hold: boolean }> {
  const [{ number, hold, messages }, ...more] = agent.takeBatches();
  assert.equal([messages.map(({ method }) => method), more], [["Runtime.evaluate"], []]);
  const [{ id, params }] = messages;
  agent.say({ id, ...result });
  agent.finish(number, { held: hold });
  await turn();
  return { text: (params as { expression: string }).expression, hold };
}

agentLink("sources are fetched by one call of the agent's, in the hold", async () => {
  const agent = new FakeAgent();
  const stopping = agent.link.stop(HOLD);
  agent.finish(agent.takeBatches()[0].number, { held: true });
  await stopping;
  const fetching = agent.link.fetchSources(["1", "2", "4"]);
  const value = { 1: "f()", 2: "" };
  const asked = await answer(agent, { result: { result: { type: "object", value } } });
  assert.equal([...await fetching], [["1", "f()"], ["2", ""]]);
  assert.match(asked.text, /\.sources\(\[1,2,4\]\)\n\/\/# sourceURL=node:kcovfs$/);
  assert.ok(asked.hold, "the target stays held");
});

agentLink("sources that are fetched without a hold begin none", async () => {
  const agent = new FakeAgent();
  const fetching = agent.link.fetchSources(["1"]);
  const { hold } = await answer(agent, { result: { result: { type: "object", value: {} } } });
  assert.equal([[...await fetching], hold], [[], false]);
});

agentLink(
  "a call that is refused, or that throws, rejects the fetch",
  async () => {
    const description = "TypeError: it is not a function\n    at <anonymous>:1:1";
    const exceptionDetails = { text: "Uncaught" };
    const answers: [answer: object, message: string][] = [
      [{ error: { message: "no" } }, "Cannot run Runtime.evaluate: no"],
      [
        { result: { result: { description }, exceptionDetails } },
        "TypeError: it is not a function",
      ],
      [{ result: { result: {}, exceptionDetails } }, "Uncaught"],
    ];
    for (const [refusal, message] of answers) {
      const agent = new FakeAgent();
      const fetching = rejection(agent.link.fetchSources(["1"]));
      await answer(agent, refusal);
      assert.is((await fetching).message, message);
    }
  },
);

agentLink(
  "the last coverage of a target that exits is taken in before it may go",
  async () => {
    const taken = deferred<void>();
    const seen: string[] = [];
    const agent = new FakeAgent({
      onFarewell(coverage) {
        seen.push(text(coverage));
        return taken.promise;
      },
    });
    agent.send(FRAME.farewell);
    agent.send(FRAME.taken, packNumber(0), "[7]");
    await turn();
    assert.equal([seen, agent.take()], [["[7]"], []]);
    taken.resolve();
    await turn();
    assert.equal(agent.take().map(({ type }) => type), [FRAME.goodbye]);
    agent.disconnect();
    assert.is(await agent.link.closed, "exited");
  },
);

agentLink(
  "a target that exits may go even if its last coverage cannot be taken in",
  async () => {
    const agent = new FakeAgent({
      onFarewell: () => Promise.reject(new Error("broken")),
    });
    agent.send(FRAME.farewell);
    agent.send(FRAME.taken, packNumber(0), "[7]");
    await turn();
    assert.equal(agent.take().map(({ type }) => type), [FRAME.goodbye]);
  },
);

agentLink(
  "a hold that was given up is told of once, and none where there was none",
  async () => {
    let expired = 0;
    const agent = new FakeAgent({ onExpired: () => void expired++ });
    agent.send(FRAME.expired);
    assert.is(expired, 0);
    for (const round of [1, 2]) {
      const stopping = agent.link.stop(HOLD);
      agent.finish(agent.takeBatches()[0].number, { held: true });
      await stopping;
      agent.link.release();
      agent.take();
      // The agent may have given up the hold while the server's release was on its way.
      for (let i = 0; i < 3; i++) agent.send(FRAME.expired);
      assert.is(expired, round);
    }
  },
);

agentLink(
  "the end of the connection rejects what is pending, and what comes later",
  async () => {
    const agent = new FakeAgent();
    const stopping = rejection(agent.link.stop(HOLD));
    const fetching = rejection(agent.link.fetchSources(["1"]));
    agent.disconnect();
    assert.is(await agent.link.closed, "connection lost");
    assert.is((await stopping).message, "connection lost");
    assert.match((await fetching).message, "connection lost");
    assert.is(
      (await rejection(agent.link.stop(HOLD))).message,
      "connection lost",
    );
    agent.link.release();
  },
);

agentLink("disposing ends the hold before the connection", async () => {
  const agent = new FakeAgent();
  const stopping = agent.link.stop(HOLD);
  agent.finish(agent.takeBatches()[0].number, { held: true });
  await stopping;
  const disposing = agent.link[Symbol.asyncDispose]();
  assert.equal(agent.take().map(({ type }) => type), [FRAME.release, FRAME.detach]);
  agent.disconnect();
  await disposing;
  assert.not(agent.isConnected);
});

agentLink("areas are told with a number, and each answer is to one of them", async () => {
  const agent = new FakeAgent();
  const area = { path: "/a", words: 512, takesComparisons: false, isShared: false };
  const lists = [[{ id: "a", ...area }], []];
  const traced = lists.map((areas) => agent.link.trace(areas));
  const frames = agent.take();
  assert.equal(frames.map(({ type }) => type), [FRAME.areas, FRAME.areas]);
  assert.equal(frames.map(({ body }) => JSON.parse(text(body.subarray(4)))), lists);
  const [first, second] = frames.map(({ body }) => body.subarray(0, 4));
  agent.send(FRAME.traced, second, "Cannot open /b: ENOENT");
  assert.is((await rejection(traced[1])).message, "Cannot open /b: ENOENT");
  agent.send(FRAME.traced, packNumber(0), "that was the welcome's");
  agent.send(FRAME.traced, first);
  await traced[0];
});

agentLink("who is gone writes nothing, and has no scripts", async () => {
  const agent = new FakeAgent();
  const [traced, listed] = [agent.link.trace([]), agent.link.listScripts()];
  agent.disconnect();
  await agent.link.closed;
  assert.equal([await traced, await listed], [undefined, []]);
  assert.equal([await agent.link.trace([]), await agent.link.listScripts()], [undefined, []]);
});

agentLink("scripts are listed by their URLs", async () => {
  const agent = new FakeAgent();
  const listed = agent.link.listScripts();
  const [{ type, body }] = agent.take();
  assert.is(type, FRAME.list);
  agent.send(FRAME.scripts, body, '["file:///a.js",""]');
  assert.equal(await listed, ["file:///a.js", ""]);
});

agentLink("a script that is about to be compiled is answered by its number", async () => {
  const { promise, resolve } = deferred<{ code?: string }>();
  const asked: unknown[] = [];
  const agent = new FakeAgent({
    onSource: (source) => {
      asked.push(source);
      return promise;
    },
  });
  const source = { url: "file:///a.js", source: "é" };
  agent.send(FRAME.source, packNumber(7), JSON.stringify(source));
  assert.equal([asked, agent.take()], [[source], []]);
  resolve({ code: "__kcov(8);é" });
  await turn();
  const [{ type, body }] = agent.take();
  assert.equal([type, [...body.subarray(0, 4)]], [FRAME.probed, [7, 0, 0, 0]]);
  assert.equal(JSON.parse(text(body.subarray(4))), { code: "__kcov(8);é" });
});

agentLink.run();
