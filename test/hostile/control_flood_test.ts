/** Peers of the control socket that flood it: the thread that serves the kernel goes on. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { connect, type Socket } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  FRAME,
  type Hello,
  packFrame,
  packNumber,
  PROTOCOL_VERSION,
} from "../../src/messages/protocol.ts";
import { askServer } from "../../src/messages/control_client.ts";
import type { Agents, Requests } from "../../src/server/control_socket.ts";
import { listen } from "../server/listening.ts";
import type { AgentLink } from "../../src/targets/agent_link.ts";
import { until } from "../until.ts";

const flood = suite("control_socket, floods");

const OPTIONS = { mode: 0o600, uid: 0, gid: 0, collectTimeout: 5000 };
const HELLO: Hello = {
  protocol: PROTOCOL_VERSION,
  name: "api",
  pid: 12,
  runtime: "node v20",
};
/** ms that a client may wait: less than the collect timeout, since the machine's noise takes a part of that. */
const MOST_DELAY = 2500;

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const MB = 1024 * 1024;

/** A control socket of this thread, and the time for which this thread was kept from anything else. */
async function listening(
  handlers: Partial<Agents & Requests> = {},
  options: { mostPending?: number } = {},
) {
  const links: AgentLink[] = [];
  const warnings: string[] = [];
  const socket = await listen({
    admit: (link) => links.push(link),
    answer: () => Promise.resolve([]),
    ...handlers,
  }, { ...OPTIONS, ...options, reporter: { warn: (line) => warnings.push(line) } });
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  return {
    ...{ socket, links, warnings },
    /** In ms, since the last call. */
    longestDelay: () => {
      const longest = delay.max / 1e6;
      delay.reset();
      return longest;
    },
    async [Symbol.asyncDispose]() {
      delay.disable();
      await socket[Symbol.asyncDispose]();
    },
  };
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

const descriptors = () => fs.readdirSync("/proc/self/fd").length;

/** Another thread that connects and writes the same again and again, until it is refused. */
const FLOODER = `
const { connect } = require("node:net");
const { parentPort, workerData: { path, first, again, times } } = require("node:worker_threads");
const socket = connect(path);
let left = times;
const write = () => {
  while (left-- > 0) if (!socket.write(again)) return socket.once("drain", write);
  socket.end();
};
socket.on("error", () => {});
socket.on("close", () => parentPort.postMessage("closed"));
socket.resume();
socket.write(first);
write();
`;

async function floodWith(
  path: string,
  what: { first: Uint8Array; again: Uint8Array; times: number },
): Promise<void> {
  const worker = new Worker(FLOODER, {
    eval: true,
    workerData: { path, ...what },
  });
  await once(worker, "message");
  await worker.terminate();
}

/** Sends requests all the time, as a command does; resolves with the longest time that one took. */
async function askWhile(path: string, work: Promise<unknown>): Promise<number> {
  let isDone = false;
  const done = work.finally(() => isDone = true);
  let longest = 0;
  while (!isDone) {
    const began = performance.now();
    await askServer(path, "targets");
    longest = Math.max(longest, performance.now() - began);
    await sleep(1);
  }
  await done;
  return longest;
}

const tinyFrames = (type: number, count: number) =>
  Buffer.concat(Array.from({ length: count }, () => packFrame(type)));

const FLOODS: Record<string, { again: Uint8Array; times: number }> = {
  "a million tiny frames": {
    again: tinyFrames(FRAME.expired, 10_000),
    times: 100,
  },
  "a million frames of no type": { again: tinyFrames(77, 10_000), times: 100 },
  "400 MB of collections that nobody asked for": {
    again: packFrame(FRAME.taken, packNumber(99), new Uint8Array(40 * MB)),
    times: 10,
  },
  "400 MB of answers that nobody waits for": {
    again: packFrame(FRAME.message, Buffer.alloc(40 * MB, "[")),
    times: 10,
  },
  "lists that nobody asked for": {
    again: packFrame(FRAME.scripts, packNumber(7), Buffer.alloc(10 * MB, "[")),
    times: 40,
  },
};

for (const [name, what] of Object.entries(FLOODS)) {
  flood(`${name} keep nobody waiting, and take no memory`, async () => {
    await using server = await listening();
    const before = process.memoryUsage().rss;
    const first = packFrame(FRAME.hello, json(HELLO));
    const longest = await askWhile(
      server.socket.path,
      floodWith(server.socket.path, { first, ...what }),
    );
    assert.ok(longest < MOST_DELAY, `${longest} ms`);
    assert.is(server.links.length, 1);
    globalThis.gc?.();
    assert.ok(process.memoryUsage().rss - before < 400 * MB, "memory");
  });
}

flood(
  "a collection, or a script, that is larger than any program's ends its connection",
  async () => {
    for (const type of [FRAME.taken, FRAME.source, FRAME.message, FRAME.held]) {
      await using server = await listening();
      const socket = await connected(server.socket.path);
      socket.write(packFrame(FRAME.hello, json(HELLO)));
      const header = Buffer.from(packFrame(type));
      header.writeUInt32LE(300 * MB);
      socket.write(header);
      await once(socket.resume(), "close");
      assert.is(
        await server.links[0].closed,
        `Cannot take a frame of ${300 * MB} bytes`,
      );
      assert.match(
        server.warnings.join(),
        /\(pid \d+\): RangeError: Cannot take a frame/,
      );
    }
  },
);

flood(
  "half a frame and then silence takes what has come, not what it claims",
  async () => {
    await using server = await listening();
    const before = process.memoryUsage().rss;
    const sockets: Socket[] = [];
    for (let i = 0; i < 200; i++) {
      const socket = await connected(server.socket.path);
      sockets.push(socket);
      const header = Buffer.from(packFrame(FRAME.taken));
      header.writeUInt32LE(50 * MB);
      socket.write(
        Buffer.concat([
          packFrame(FRAME.hello, json(HELLO)),
          header,
          Buffer.alloc(1000),
        ]),
      );
    }
    await until(() => server.links.length === 200);
    assert.ok(process.memoryUsage().rss - before < 100 * MB);
    assert.equal(await askServer(server.socket.path, "targets"), []);
    for (const socket of sockets) socket.destroy();
  },
);

flood("what all have begun to send is bounded, too", async () => {
  await using server = await listening({}, { mostPending: 8 * MB });
  const half = Buffer.from(packFrame(FRAME.taken, new Uint8Array(MB)));
  const first = packFrame(FRAME.hello, json(HELLO));
  const socket = () => connected(server.socket.path);
  const sockets = await Promise.all(Array.from({ length: 16 }, socket));
  let closed = 0;
  for (const one of sockets) {
    one.resume().once("close", () => closed++);
    one.write(first);
    one.write(half.subarray(0, half.length - 1));
  }
  await until(() => closed > 0);
  assert.ok(closed < 16);
  assert.match(server.warnings.join(), /too much has begun to come/);
  for (const one of sockets) one.destroy();
});

flood(
  "a frame a byte at a time is taken whole, and costs no more than its bytes",
  async () => {
    await using server = await listening();
    const socket = await connected(server.socket.path);
    socket.setNoDelay();
    socket.write(packFrame(FRAME.hello, json(HELLO)));
    await until(() => server.links.length === 1);
    const stopping = server.links[0].stop({ run: 0, hold: true });
    const [batch] = await once(socket, "data") as [Buffer];
    const number = batch.subarray(5, 9);
    const frame = packFrame(
      FRAME.taken,
      number,
      Buffer.from(`["${"x".repeat(5000)}"]`),
    );
    for (let at = 0; at < frame.length; at++) {
      socket.write(frame.subarray(at, at + 1));
      if (at % 10 === 0) await new Promise(setImmediate);
    }
    socket.write(packFrame(FRAME.held, number, packNumber(0)));
    assert.is((await stopping).coverage.length, 5004);
    socket.destroy();
  },
);

flood(
  "5,000 connections that say nothing are let go, and all others are served",
  async () => {
    await using server = await listening();
    const before = descriptors();
    const program = `
    const { connect } = require("node:net");
    const { readSync } = require("node:fs");
    let closed = 0;
    const say = () => process.stdout.write(closed + "\\n");
    for (let i = 0; i < 5000; i++) {
      connect(process.argv[1]).on("error", () => {}).on("close", () => { closed++; }).resume();
    }
    setInterval(() => { if (closed === 5000) { say(); process.exit(); } }, 10);
  `;
    assert.is(
      spawnSync("sh", ["-c", "ulimit -n 20000"]).status,
      0,
      "so many descriptors",
    );
    const worker = new Worker(
      `require("node:child_process").execFile("sh", ["-c", 'ulimit -n 20000; exec "$0" -e "$1" "$2"',
      ...require("node:worker_threads").workerData], (error, stdout) =>
      require("node:worker_threads").parentPort.postMessage(String(error ?? stdout)));`,
      {
        eval: true,
        workerData: [process.execPath, program, server.socket.path],
      },
    );
    let most = 0;
    const timer = setInterval(() => most = Math.max(most, descriptors()), 5);
    server.longestDelay();
    await once(worker, "message");
    clearInterval(timer);
    const longest = server.longestDelay();
    assert.ok(longest < MOST_DELAY, `${longest} ms`);
    assert.ok(most - before < 1000, `${most - before} descriptors`);
    const target = await connected(server.socket.path);
    target.write(packFrame(FRAME.hello, json(HELLO)));
    await until(() => server.links.length === 1);
    assert.ok(
      server.warnings.length <= 40,
      `${server.warnings.length} warnings`,
    );
    assert.match(server.warnings.join(), /do not say who they are/);
    target.destroy();
    await worker.terminate();
  },
);

flood(
  "who takes long to say who he is is let go, however often he says something",
  async () => {
    await using server = await listening();
    const socket = await connected(server.socket.path);
    const frame = packFrame(FRAME.hello, json(HELLO));
    let at = 0;
    const timer = setInterval(
      () => socket.write(frame.subarray(at, ++at)),
      500,
    );
    const began = performance.now();
    await once(socket.resume(), "close");
    clearInterval(timer);
    const took = performance.now() - began;
    assert.ok(took > 8000 && took < 20_000, `${took} ms`);
    assert.is(server.links.length, 0);
  },
);

flood("one connection asks once", async () => {
  let asked = 0;
  await using server = await listening({
    answer: () => {
      asked++;
      return sleep(50).then(() => []);
    },
  });
  const socket = await connected(server.socket.path);
  const request = packFrame(FRAME.request, json({ kind: "targets" }));
  socket.write(Buffer.concat(Array.from({ length: 1000 }, () => request)));
  await once(socket.resume(), "close");
  assert.is(asked, 1);
});

flood("nonsense without end fills no log", async () => {
  await using server = await listening();
  for (let i = 0; i < 500; i++) {
    const socket = await connected(server.socket.path);
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await once(socket.resume(), "close");
  }
  assert.ok(server.warnings.length <= 60, `${server.warnings.length}`);
  assert.match(server.warnings[19], /others like it are left out/);
});

flood(
  "a first frame with any part of the wrong type is refused, and quotes nothing",
  async () => {
    const parts = [
      "name",
      "pid",
      "runtime",
      "parent",
      "tid",
      "include",
      "exclude",
      "collector",
    ];
    const wrong = [{}, [7], -1, 0.5, true, "\u001b[31mx", null];
    const bodies = parts.flatMap((part) => wrong.map((value) => ({ ...HELLO, [part]: value })));
    await using server = await listening();
    let refused = 0;
    for (const body of [...bodies, ...'\u001b[ {\u001b "\u001b'.split(" ")]) {
      const socket = await connected(server.socket.path);
      const text = typeof body === "string" ? Buffer.from(body) : json(body);
      socket.write(packFrame(FRAME.hello, text));
      const count = server.links.length;
      await Promise.race([
        once(socket.resume(), "close"),
        until(() => server.links.length > count),
      ]);
      if (server.links.length === count) refused++;
      socket.destroy();
    }
    // Any text may be a name, a runtime, or the name of what has started it.
    assert.ok(
      refused >= bodies.length - 4 - 7,
      `${refused} of ${bodies.length}`,
    );
    assert.not.ok(server.warnings.join().includes("\u001b"));
  },
);

flood("the end waits for nobody who does not read", async () => {
  const server = await listening({
    answer: () => Promise.resolve("x".repeat(20 * MB)),
  });
  const socket = await connected(server.socket.path);
  socket.pause();
  socket.write(packFrame(FRAME.request, json({ kind: "targets" })));
  await sleep(200);
  const began = performance.now();
  await server[Symbol.asyncDispose]();
  assert.ok(performance.now() - began < 8000);
  socket.destroy();
});

flood.run();
