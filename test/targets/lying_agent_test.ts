import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FRAME, packNumber } from "../../src/messages/protocol.ts";
import { FakeAgent } from "./fake_agent.ts";
import { turn } from "./fake_link.ts";

const lying = suite("targets/agent_link, an agent that lies");

/** A link that is waiting for a stop and for sources, with the numbers of their batches. */
function waiting() {
  const agent = new FakeAgent();
  const outcomes: string[] = [];
  const note = (name: string) => [
    () => void outcomes.push(`${name} done`),
    () => void outcomes.push(`${name} failed`),
  ];
  const [stopped, notStopped] = note("stop");
  const [fetched, notFetched] = note("fetch");
  agent.link.stop({ run: 0, hold: true }).then(stopped, notStopped);
  agent.link.fetchSources(["1"]).then(fetched, notFetched);
  const [stop, fetch] = agent.takeBatches();
  return { agent, outcomes, stop, fetch };
}

lying("numbers of batches that there are not change nothing", async () => {
  const { agent, outcomes, stop } = waiting();
  for (const number of [stop.number + 10, 0xffffffff]) {
    agent.send(FRAME.taken, packNumber(number), "[1]");
    agent.send(FRAME.held, packNumber(number), packNumber(1));
    agent.send(FRAME.unheld, packNumber(number));
  }
  await turn();
  assert.equal(outcomes, []);
  agent.finish(stop.number, { held: true, coverage: "[1]" });
  agent.finish(stop.number, { held: false, coverage: "[2]" });
  await turn();
  assert.equal([outcomes, agent.isConnected], [["stop done"], true]);
});

lying("messages that are no CDP change nothing", async () => {
  const { agent, outcomes, fetch } = waiting();
  const { id } = fetch.messages[0];
  const texts = [
    "",
    "{",
    "null",
    "[]",
    '"x"',
    '{"id":12345,"result":{}}',
    '{"id":"1"}',
    "\xff\xfe",
  ];
  const events = ["{}", "null", "7", '"x"', '{"scriptId":1}', '{"scriptId":{}}']
    .map((params) => `{"method":"Debugger.scriptParsed","params":${params}}`);
  for (const text of [...texts, ...events, '{"method":"Debugger.scriptParsed"}']) {
    agent.send(FRAME.message, text);
  }
  agent.send(FRAME.message, Uint8Array.of(0xff, 0, 0xc3));
  await turn();
  assert.equal([outcomes, agent.isConnected], [[], true]);
  agent.send(FRAME.message, `{"id":${id},"error":null}`);
  await turn();
  assert.equal(outcomes, ["fetch failed"]);
});

lying("sources that are none fail the fetch, and nothing else", async () => {
  const results = [null, 7, {}, { result: null }, { result: 7 }, { result: { value: null } }];
  const thrown = [{ exceptionDetails: {} }, { result: null, exceptionDetails: {} }];
  const answers = [...results, ...thrown].map((result) => ({ result }));
  for (const answer of [{}, { error: {} }, ...answers]) {
    const { agent, outcomes, fetch } = waiting();
    agent.say({ id: fetch.messages[0].id, ...answer });
    agent.finish(fetch.number, { held: true });
    await turn();
    assert.equal(outcomes, ["fetch failed"], JSON.stringify(answer));
  }
});

lying("frames of unknown types, and the server's own, end the connection", async () => {
  const types = [
    0,
    200,
    255,
    FRAME.welcome,
    FRAME.batch,
    FRAME.release,
    FRAME.request,
    FRAME.hello,
  ];
  for (const type of types) {
    for (const body of ["", "{}", packNumber(1)]) {
      const { agent } = waiting();
      agent.send(type, body);
      const reason = `it sends nonsense: ${body.length} bytes of type ${type}`;
      assert.is(await agent.link.closed, reason);
    }
  }
});

lying("a frame too short for its number ends the connection", async () => {
  const numbered = [FRAME.taken, FRAME.held, FRAME.unheld];
  for (const type of [...numbered, FRAME.source, FRAME.traced, FRAME.scripts]) {
    for (let length = 0; length < 4; length++) {
      const { agent, outcomes } = waiting();
      agent.send(type, new Uint8Array(length));
      assert.is(await agent.link.closed, `it sends nonsense: ${length} bytes of type ${type}`);
      await turn();
      assert.equal(outcomes.sort(), ["fetch failed", "stop failed"]);
    }
  }
});

/** Pieces of CDP messages. */
const WORDS =
  '{ } [ ] , : "id" "method" "Debugger.scriptParsed" "result" "params" "error" null 1 2 3 ' +
  '"scriptId" "1" "message" "url"';

lying(
  "what is no JSON, or other than what it should be, ends the connection, and is told where",
  async () => {
    const wrong: [number, string, string][] = [
      ...[FRAME.source, FRAME.scripts].flatMap((type): [number, string, string][] => [
        [type, "", "Cannot read JSON"],
        [type, "{", "Cannot read JSON"],
        [type, '"a\\nb"', 'not "a?b"'],
      ]),
      [FRAME.source, "null", "it must be an object, not null"],
      [FRAME.source, '{"url":1,"source":""}', "url must be a text, not 1"],
      [FRAME.source, '{"url":"a"}', "source is missing"],
      [FRAME.scripts, "7", "it must be a list, not 7"],
      [FRAME.scripts, '["a",{}]', "1 must be a text, not an object"],
    ];
    for (const [type, text, reason] of wrong) {
      const agent = new FakeAgent();
      agent.link.listScripts();
      agent.send(type, packNumber(1), text);
      assert.match(await agent.link.closed, /^it sends nonsense: .*$/, text);
      assert.ok((await agent.link.closed).endsWith(reason), `${await agent.link.closed}`);
    }
  },
);

lying("a last coverage is taken once", async () => {
  const taken: string[] = [];
  const onFarewell = (coverage: Uint8Array) => {
    taken.push(String(Buffer.from(coverage)));
    return Promise.resolve();
  };
  const agent = new FakeAgent({ onFarewell });
  for (let i = 0; i < 3; i++) agent.send(FRAME.taken, packNumber(0), `[${i}]`);
  assert.is(await agent.link.closed, "it sends nonsense: its last coverage a second time");
  assert.equal(taken, ["[0]"]);
});

lying("a target without probes has no scripts that wait for any", async () => {
  const agent = new FakeAgent({}, { isTraced: false });
  agent.send(FRAME.source, packNumber(1), '{"url":"a","source":""}');
  const reason = "it sends nonsense: a script for probes, which it has none of";
  assert.is(await agent.link.closed, reason);
});

lying("scripts that nobody has asked for are not even read", () => {
  const agent = new FakeAgent();
  agent.send(FRAME.scripts, packNumber(1), "{");
  assert.ok(agent.isConnected);
});

lying("JSON that is made to take long is not read", async () => {
  const bombs = {
    "nested": "[".repeat(4 << 20),
    "many parts": `[${"[],".repeat(1 << 20)}[]]`,
    "many members": `{${'"a":0,'.repeat(1 << 20)}"a":0}`,
  };
  for (const [name, bomb] of Object.entries(bombs)) {
    const { agent, outcomes } = waiting();
    const began = performance.now();
    agent.send(FRAME.message, bomb);
    const source = new FakeAgent();
    source.send(FRAME.source, packNumber(1), bomb);
    // `JSON.parse` takes some seconds for each of them.
    assert.ok(performance.now() - began < 5000, name);
    await turn();
    assert.equal([outcomes, agent.isConnected, source.isConnected], [
      [],
      true,
      false,
    ], name);
  }
});

lying(
  "messages without end that answer nothing end the connection",
  async () => {
    const { agent } = waiting();
    const useless = `{"method":"x","params":"${"x".repeat(1 << 20)}"}`;
    for (let i = 0; i < 100 && agent.isConnected; i++) {
      agent.send(
        FRAME.message,
        useless,
      );
    }
    assert.match(await agent.link.closed, /^it sends nonsense: \d+ bytes that answer nothing$/);
  },
);

lying("what a target may send is bounded by the kind of frame", () => {
  const most = (type: number, collectTimeout = 5000) =>
    new FakeAgent({}, { collectTimeout }).link.mostBytes(type);
  for (
    const type of [
      FRAME.held,
      FRAME.farewell,
      FRAME.expired,
      FRAME.hello,
      77,
      255,
    ]
  ) {
    assert.ok(most(type) <= 64, `${type}`);
  }
  // This is read at 12 MB/s at least; the largest collection of the programs is 3.4 MB.
  const taken = [1, 1000, 5000, 1_000_000].map((timeout) => most(FRAME.taken, timeout) >> 20);
  assert.equal(taken, [4, 11, 58, 64]);
});

lying(
  "a target that reads nothing is let go before what waits for it fills the memory",
  async () => {
    const agent = new FakeAgent({}, {}, { isDeaf: true });
    const ids = Array.from({ length: 1 << 20 }, (_, i) => String(i));
    for (let i = 0; i < 100 && agent.isConnected; i++) agent.link.ignore(ids);
    assert.is(await agent.link.closed, "it does not read");
  },
);

lying(
  "10,000 random frames never make it throw or leave a rejection unhandled",
  async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listen);
    let seed = 1;
    const random = (below: number) => (seed = seed * 48271 % 0x7fffffff) % below;
    const words = WORDS.split(" ");
    for (let round = 0; round < 200; round++) {
      const { agent } = waiting();
      for (let i = 0; i < 50; i++) {
        const text = Array.from(
          { length: random(12) },
          () => words[random(words.length)],
        ).join("");
        const number = packNumber(random(5));
        agent.send(
          random(11),
          ...[number, number.subarray(random(4))].slice(random(3)),
          text,
        );
        const outcome = ['"result":{}', '"error":[]'][random(2)];
        agent.send(FRAME.message, `{"id":${random(4)},${outcome}}`);
      }
      agent.disconnect();
      await turn();
    }
    process.off("unhandledRejection", listen);
    assert.equal(unhandled, []);
  },
);

lying.run();
