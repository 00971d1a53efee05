/**
 * Inspectors that lie, over a real WebSocket: the target is dropped or ignored, and nothing else is
 * disturbed.
 */
import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type WebSocket, WebSocketServer } from "ws";
import { Collector } from "../../src/server/collector.ts";
import { CoveredBlocks } from "../../src/symbols/covered_blocks.ts";
import { ALL_UNITS } from "../../src/kcov/coherence/unit.ts";
import { connectInspector, type InspectorLink } from "../../src/targets/inspector_link.ts";
import { Registry } from "../../src/targets/registry.ts";
import { EngineWorld } from "../blocks/engine_world.ts";
import { FakeInspector } from "./fake_inspector.ts";
import { FakeLink, taken } from "./fake_link.ts";

const lying = suite("targets/inspector_link, an inspector that lies");

/** An honest inspector's answers, passed through a liar. */
type Liar = (message: string, socket: WebSocket) => string | undefined;

interface Lie {
  readonly url: string;
  /** The answers of the server behind the WebSocket from now on. */
  lie: Liar;
  readonly inspector: FakeInspector;
  readonly end: () => Promise<void>;
}

async function listen(): Promise<Lie> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await new Promise((resolve) => server.once("listening", resolve));
  const inspector = new FakeInspector();
  const subject: Lie = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/x`,
    lie: (message) => message,
    inspector,
    end: async () => {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data) => inspector.send(String(data)));
    inspector.listen((message) => {
      const lied = subject.lie(String(message), socket);
      if (lied !== undefined) socket.send(lied);
    });
  });
  return subject;
}

const connect = (url: string, timeout = PATIENCE): Promise<InspectorLink> =>
  connectInspector(url, {
    runtime: "deno 2.9.5",
    timeout,
    onFarewell: () => Promise.resolve(),
    onBroken() {},
  });

/** ms: a busy machine must not look like a liar. */
const PATIENCE = 20_000;

/** A collector with the liar and an honest target. */
async function world(collectTimeout = PATIENCE) {
  const server = await listen();
  const engines = new EngineWorld();
  const warnings: string[] = [];
  const registry = new Registry({
    collectTimeout,
    hold: "auto",
    onChange: ({ info, note }) => note && warnings.push(`${info.name}: ${note}`),
  });
  const collector = new Collector({
    covered: new CoveredBlocks(),
    segments: () => [],
    registry,
    engine: engines.engine,
    filterFor: () => (url) => url !== "",
    reporter: { warn: (line) => warnings.push(line) },
  });
  const link = await connect(server.url);
  const target = registry.add(link, { name: "liar", pid: 0, runtime: "deno 2.9.5" });
  const honest = new FakeLink();
  honest.onStop = ({ hold }) => Promise.resolve(taken(HONEST, hold));
  honest.onFetch = () => Promise.resolve(new Map([["1", SOURCE]]));
  registry.add(honest, { name: "honest", pid: 0, runtime: "node" });
  /** The number of PCs that a read returns: 2 are the honest target's. */
  const read = async () => {
    const collected = await collector.stop({ run: 0, units: ALL_UNITS });
    collector.release(ALL_UNITS);
    return new Set(collected.flatMap(({ pcs }) => [...pcs])).size;
  };
  return { server, target, link, read, warnings };
}

const SOURCE = "function f() {}\n";
const ranges = (...triples: number[][]) =>
  triples.map(([startOffset, endOffset, count]) => ({ startOffset, endOffset, count }));
const script = (...functions: object[]) => [{ scriptId: "1", url: "file:///a.js", functions }];
const f = (...triples: number[][]) => ({
  functionName: "f",
  ranges: ranges(...triples),
  isBlockCoverage: true,
});
const HONEST = JSON.stringify(script(f([0, 15, 1])));

/** Replaces the answers to collections. */
const collections = (result: unknown): Liar => (message) => {
  const { id, result: own } = JSON.parse(message);
  return own?.timestamp ? JSON.stringify({ id, result }) : message;
};

lying(
  "coverage that makes no sense is ignored, with a warning where it cannot be read",
  async () => {
    const results = [
      { result: script(f([-5, 15, 1], [0, 9, -1])) },
      { result: script(f([0, 4e9, 1], [1e12, 2e12, 3])) },
      { result: script(f([0, 15, -1])) },
      { result: script(f([9, 3, 1])) },
      { result: script(f()) },
      { result: [{ scriptId: "999999", url: "file:///none.js", functions: [f([0, 15, 1])] }] },
      { result: [{ scriptId: 7, url: null, functions: null }] },
      { result: [null] },
      { result: 7 },
      {},
      null,
    ];
    const { server, target, read } = await world();
    for (const result of results) {
      server.lie = collections(result);
      const count = await read();
      assert.ok(count > 0, `${JSON.stringify(result)}: the honest target's are there`);
    }
    server.lie = (message) => message;
    assert.ok(await read() > 0);
    assert.is(target.state, "running");
    await server.end();
  },
);

const DROPPED: [what: string, lie: Liar, reason: RegExp][] = [
  ["garbage", () => "\u0000garbage", /does not speak the Chrome DevTools Protocol/],
  ["no objects", () => "[1,2", /does not speak/],
  ["answers to nothing", () => '{"id":123456,"result":{}}', /does not speak/],
  ["nothing more, and closes", (_, socket) => void socket.close(), /connection lost/],
  ["half a frame", (_, socket) => void socket.terminate(), /connection lost/],
  ["100 MB", (_, socket) => void socket.send(Buffer.alloc(100 << 20, 0x20)), /exceeded/],
];

for (const [what, lie, reason] of DROPPED) {
  lying(`a target that answers ${what} is dropped, and the others are read`, async () => {
    const { server, target, read, warnings } = await world();
    assert.is(await read() > 0, true);
    server.lie = lie;
    assert.ok(await read() > 0);
    await target.link.closed;
    assert.ok(await read() > 0);
    assert.is(target.state, "ended");
    assert.match(warnings.join("\n"), reason);
    await server.end();
  });
}

lying("silence makes a target late, which nobody waits for twice", async () => {
  const { server, target, read, warnings } = await world(100);
  server.lie = () => undefined;
  assert.ok(await read() > 0);
  assert.is(target.state, "late");
  assert.ok(warnings.includes("liar: no answer within 100 ms"));
  await server.end();
});

lying("what is no inspector is not connected to, and says why in time", async () => {
  const failure = (lie: Liar) => async () => {
    const server = await listen();
    server.lie = lie;
    const { message } = await connect(server.url, 200).then(() => new Error("connected"), (e) => e);
    await server.end();
    return message as string;
  };
  assert.match(await failure(() => undefined)(), /Cannot attach to ws:.*: no answer within 200 ms/);
  assert.match(await failure(() => "{}")(), /does not speak/);
  assert.match(await failure((_, socket) => void socket.terminate())(), /connection lost/);
  const refused = await connect("ws://127.0.0.1:1/").then(() => "", ({ message }) => message);
  assert.match(refused, /Cannot connect to ws:\/\/127.0.0.1:1\/: connect ECONNREFUSED/);
});

lying.run();
