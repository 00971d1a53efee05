import { once } from "node:events";
import * as fs from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  FRAME,
  FrameReader,
  type Hello,
  packFrame,
  packNumber,
  PROTOCOL_VERSION,
} from "../../src/messages/protocol.ts";
import { askServer } from "../../src/messages/control_client.ts";
import {
  type Agents,
  type ControlOptions,
  type ControlSocket,
  type Requests,
} from "../../src/server/control_socket.ts";
import { until } from "../until.ts";
import { listen } from "./listening.ts";
import { tryLock } from "../../src/base/system_calls.ts";
import type { AgentLink } from "../../src/targets/agent_link.ts";

const control = suite("control_socket");

const OPTIONS: Omit<ControlOptions, "reporter"> = {
  ...{ mode: 0o600, uid: process.getuid!(), gid: process.getgid!() },
  collectTimeout: 5000,
};
const FOR_OTHERS: Omit<ControlOptions, "reporter"> = { ...OPTIONS, mode: 0o660, uid: 1, gid: 2 };
const ROOT = { uid: 0, gid: 0 };
const HELLO: Hello = {
  protocol: PROTOCOL_VERSION,
  name: "api",
  pid: 12,
  runtime: "node v20",
};

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** A control socket and the messages that came in on it. */
async function listening(handlers: Partial<Agents & Requests> = {}, options = OPTIONS) {
  const agents: { link: AgentLink; hello: Hello }[] = [];
  const warnings: string[] = [];
  const socket = await listen({
    admit: (link, hello) => agents.push({ link, hello }),
    ...handlers,
  }, { ...options, reporter: { warn: (line) => warnings.push(line) } });
  return { socket, agents, warnings, [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose]() };
}

async function connected(to: { socket: ControlSocket }): Promise<Socket> {
  const socket = connect(to.socket.path);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

const rejection = (work: Promise<unknown>): Promise<Error> =>
  work.then(() => assert.unreachable(), (error) => error) as Promise<Error>;

control(
  "each server has a socket in a folder of its own, for whom it is meant",
  async () => {
    await using one = await listening();
    await using other = await listening({}, FOR_OTHERS);
    assert.is.not(one.socket.path, other.socket.path);
    assert.match(
      one.socket.path,
      new RegExp(`^/run/kcovfs/${process.pid}-[^/]+/socket$`),
    );
    const { mode, uid, gid } = fs.statSync(other.socket.path);
    assert.equal([mode & 0o777, uid, gid], [0o660, 1, 2]);
    assert.is(fs.statSync(one.socket.path).mode & 0o777, 0o600);
    assert.is(fs.statSync(path.dirname(one.socket.path)).mode & 0o777, 0o755);
  },
);

control(
  "pipes are made beside the socket, each for the user of one target",
  async () => {
    await using server = await listening({}, FOR_OTHERS);
    const users = [{ uid: 1000, gid: 1001 }, ROOT];
    const pipes = users.map((user) => server.socket.makePipe(user));
    assert.is.not(pipes[0], pipes[1]);
    for (const [i, pipe] of pipes.entries()) {
      const stats = fs.statSync(pipe);
      assert.is(path.dirname(pipe), path.dirname(server.socket.path));
      assert.ok(stats.isFIFO());
      const { uid, gid } = users[i];
      assert.equal([stats.mode & 0o777, stats.uid, stats.gid], [
        0o600,
        uid,
        gid,
      ]);
    }
  },
);

control(
  "an agent is known by its hello, and is talked to through a link",
  async () => {
    const heard: string[] = [];
    await using server = await listening({
      farewell: (_, coverage) => {
        heard.push(`farewell ${Buffer.from(coverage)}`);
        return Promise.resolve();
      },
    });
    const socket = await connected(server);
    const frames: number[] = [];
    const reader = new FrameReader((type) => frames.push(type), 1000);
    socket.on("data", (chunk) => reader.push(chunk));
    // All in one chunk: bytes after the hello are the link's.
    socket.write(Buffer.concat([
      packFrame(FRAME.hello, json(HELLO)),
      packFrame(FRAME.farewell),
      packFrame(FRAME.taken, new Uint8Array(4), Buffer.from("[7]")),
    ]));
    await until(() => frames.length === 1);
    assert.equal(frames, [FRAME.goodbye]);
    assert.equal(server.agents.map(({ hello }) => hello), [HELLO]);
    assert.equal(heard, ["farewell [7]"]);
    server.agents[0].link.welcome({
      id: 1,
      name: "a",
      holdTimeout: 1,
      pipe: "",
      isHeld: true,
      areas: [],
    });
    await until(() => frames.length === 2);
    socket.destroy();
    assert.is(await server.agents[0].link.closed, "exited");
    assert.equal(server.warnings, []);
  },
);

control("who speaks otherwise is warned of and disconnected", async () => {
  const frames = {
    "an older agent": packFrame(FRAME.hello, json({ ...HELLO, protocol: PROTOCOL_VERSION - 1 })),
    "another kind of frame": packFrame(FRAME.taken, json(HELLO)),
    "no JSON": packFrame(FRAME.hello, Buffer.from("{")),
    "nothing": packFrame(FRAME.hello, json(null)),
    "an HTTP client": Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    "a frame too long": Buffer.from("ffffffff01", "hex"),
    "no name": packFrame(FRAME.hello, json({ ...HELLO, name: undefined })),
    "no process": packFrame(FRAME.hello, json({ ...HELLO, pid: "x" })),
    "no runtime": packFrame(FRAME.hello, json({ ...HELLO, runtime: {} })),
    "no globs": packFrame(FRAME.hello, json({ ...HELLO, include: "**" })),
    "globs that are none": packFrame(FRAME.hello, json({ ...HELLO, exclude: [7] })),
  };
  await using server = await listening();
  for (const [name, bytes] of Object.entries(frames)) {
    const socket = await connected(server);
    socket.write(bytes);
    await once(socket.resume(), "close");
    const [warning, ...more] = server.warnings.splice(0);
    assert.match(
      warning,
      /^Cannot read from a client of the control socket \(pid \d+\): /,
      name,
    );
    assert.equal(more, [], name);
  }
  assert.equal(server.agents, []);
});

control("one client's nonsense does not disturb the others", async () => {
  await using server = await listening();
  const good = await connected(server);
  good.write(packFrame(FRAME.hello, json(HELLO)));
  await until(() => server.agents.length === 1);
  const bad = await connected(server);
  bad.write("garbage that is long enough");
  await once(bad.resume(), "close");
  assert.is(server.agents[0].hello.name, "api");
  const stopping = server.agents[0].link.stop({ run: 0, hold: true });
  const [batch] = await once(good, "data") as [Buffer];
  const number = batch.subarray(5, 9);
  good.write(packFrame(FRAME.held, number, packNumber(0)));
  assert.is((await stopping).held, true);
  good.destroy();
});

control("a command's request is answered, and the connection closed", async () => {
  const facts = { pid: 7, state: "/var", version: "1", collector: "v8", isPassthrough: false };
  const asked: unknown[] = [];
  await using server = await listening({
    answer(request) {
      asked.push(request);
      return Promise.resolve(facts);
    },
  });
  assert.equal(await askServer(server.socket.path, "server"), facts);
  assert.equal(asked, [{ kind: "server" }]);
});

control("a large answer arrives whole", async () => {
  const rows = Array.from({ length: 20_000 }, (_, id) => ({
    ...{ id, name: "x".repeat(50), pid: 1, runtime: "node", link: "agent", collector: "v8" },
    ...{ hold: "gate", scripts: 1, blocks: 2, state: "running", note: "" },
  }));
  await using server = await listening({ answer: () => Promise.resolve(rows) });
  assert.equal(await askServer(server.socket.path, "targets"), rows);
});

control("a request that is refused is an error for who asked", async () => {
  for (
    const refuse of [
      () => Promise.reject(new Error("it is of another version")),
      () => {
        throw new Error("it is of another version");
      },
    ]
  ) {
    await using server = await listening({ answer: refuse });
    const { message } = await rejection(askServer(server.socket.path, "targets"));
    assert.is(message, `Cannot ask the server at ${server.socket.path}: it is of another version`);
    assert.equal(server.warnings, []);
  }
});

control(
  "a server that is not there, or that answers nonsense, is an error for who asks",
  async () => {
    const folder = fs.mkdtempSync(path.join(tmpdir(), "kcovfs-control-"));
    const file = path.join(folder, "socket");
    try {
      const { message } = await rejection(askServer(file, "targets"));
      assert.match(message, `Cannot ask the server at ${file}: connect ENOENT`);
      const answers = {
        "it closed the connection": Buffer.alloc(0),
        "it is no JSON": packFrame(FRAME.response, Buffer.from("{")),
        "0.id must be a whole number, not 1.5; is it of another version": packFrame(
          FRAME.response,
          json({ result: [{ id: 1.5 }] }),
        ),
        "it must be a list, not undefined": packFrame(FRAME.response, json({})),
        "Cannot take a frame": Buffer.from("ffffffff21", "hex"),
      };
      for (const [reason, bytes] of Object.entries(answers)) {
        const server = createServer((socket) => socket.resume().end(bytes))
          .listen(file);
        await once(server, "listening");
        const { message } = await rejection(askServer(file, "targets"));
        assert.match(message, new RegExp(`^Cannot ask the server at ${file}: .*${reason}`));
        await new Promise((resolve) => server.close(resolve));
      }
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  },
);

control("the end disconnects all and leaves nothing behind", async () => {
  const server = await listening();
  const idle = await connected(server);
  const agent = await connected(server);
  agent.write(packFrame(FRAME.hello, json(HELLO)));
  await until(() => server.agents.length === 1);
  server.socket.makePipe(ROOT);
  const closed = [idle, agent].map((socket) => once(socket.resume(), "close"));
  await server.socket[Symbol.asyncDispose]();
  await Promise.all(closed);
  assert.is(await server.agents[0].link.closed, "connection lost");
  assert.not(fs.existsSync(path.dirname(server.socket.path)));
});

control(
  "what servers that were killed have left is removed, what others use is not",
  async () => {
    // The number of a process says nothing: the parent of this one lives.
    const [left, old, used] = [`${process.ppid}-left`, "7-older", "8-used"];
    const folders = [left, old, used, "other", "mnt"].map((name) => path.join("/run/kcovfs", name));
    for (const folder of folders) {
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(path.join(folder, "file"), "");
    }
    // A server of an older version, which does not lock its folder.
    const server = createServer().listen(path.join(folders[1], "socket"));
    await once(server, "listening");
    const lock = fs.openSync(folders[2], "r");
    assert.ok(tryLock(lock));
    try {
      await using _server = await listening();
      assert.equal(folders.map((folder) => fs.existsSync(folder)), [
        false,
        true,
        true,
        true,
        true,
      ]);
      await new Promise((resolve) => server.close(resolve));
      await using _other = await listening();
      assert.equal(folders.map((folder) => fs.existsSync(folder)), [
        false,
        false,
        true,
        true,
        true,
      ]);
    } finally {
      fs.closeSync(lock);
      for (const folder of folders) {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    }
  },
);

control.run();
