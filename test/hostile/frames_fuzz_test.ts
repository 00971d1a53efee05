/** Frames on the control socket: from a target and a command to the server, and from the server to an agent. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { suite } from "uvu";
import { Agent } from "../../src/agent/worker/agent.ts";
import type { Isolate } from "../../src/messages/isolate.ts";
import {
  FRAME,
  FrameReader,
  packFrame,
  packNumber,
  PROTOCOL_VERSION,
} from "../../src/messages/protocol.ts";
import type { ControlSocket } from "../../src/server/control_socket.ts";
import { listen } from "../server/listening.ts";
import { AgentLink } from "../../src/targets/agent_link.ts";
import { turn } from "./fuse_world.ts";
import { fuzz } from "./fuzzing.ts";
import { mutateBytes, mutatedJsonText } from "./mutate_text.ts";
import type { Random } from "./random.ts";
import { targetId } from "../../src/kcov/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";

const frames = suite("hostile, frames");

/** Frames of a stream. The first that makes no sense may end it, so some ten of them are read. */
const LENGTH = 50;
const TAKEN = 10;
const LIMIT = 1024 * 1024;

const text = (value: unknown) => Buffer.from(JSON.stringify(value));
const number = (random: Random) => packNumber(random.pick([0, 1, 2, 3, random.u32()]));

const HELLO = {
  ...{ protocol: PROTOCOL_VERSION, name: "api", pid: process.pid, runtime: "node v20.0.0" },
  ...{
    parent: targetId(1),
    tid: threadId(2),
    include: ["**"],
    exclude: [],
    collector: "trace",
    attachment: "1",
  },
};
const SOURCE = { url: "file:///a.js", source: "f()" };
const COVERAGE = [{ scriptId: "1", url: "file:///a.js", functions: [] }];
const AREA = {
  id: "1",
  path: "/dev/shm/none",
  words: 512,
  takesComparisons: false,
  isShared: false,
};
const WELCOME = {
  ...{ id: 1, name: "api", holdTimeout: 1000, pipe: "/none", isHeld: true },
  areas: [AREA],
};
const BATCH = [[1, '{"id":1,"method":"Profiler.takePreciseCoverage"}'], [2, "{}"]];

type Body = (random: Random) => Uint8Array;

const json = (value: unknown): Body => (random) =>
  random.chance(90) ? text(value) : Buffer.from(mutatedJsonText(value, random));
const numbered = (body: Body): Body => (random) => Buffer.concat([number(random), body(random)]);
const nothing: Body = () => new Uint8Array(0);

/** A target's frames after its hello. */
const TARGETS: Record<number, Body> = {
  [FRAME.message]: json({ id: 1, result: { result: { value: { 1: "f()" } } } }),
  [FRAME.taken]: numbered(json(COVERAGE)),
  [FRAME.held]: numbered(number),
  [FRAME.unheld]: numbered(nothing),
  [FRAME.farewell]: nothing,
  [FRAME.expired]: nothing,
  [FRAME.source]: numbered(json(SOURCE)),
  [FRAME.traced]: numbered(() => Buffer.from("no memory")),
  [FRAME.scripts]: numbered(json(["file:///a.js"])),
};

/** The server's frames to an agent. */
const SERVERS: Record<number, Body> = {
  [FRAME.welcome]: json(WELCOME),
  [FRAME.batch]: (random) =>
    Buffer.concat([number(random), Uint8Array.of(1), number(random), json(BATCH)(random)]),
  [FRAME.release]: numbered(nothing),
  [FRAME.ignore]: json(["1", "2"]),
  [FRAME.goodbye]: nothing,
  [FRAME.detach]: nothing,
  [FRAME.probed]: numbered(json({ code: "f()" })),
  [FRAME.areas]: numbered(json([AREA])),
  [FRAME.list]: numbered(nothing),
};

/** A frame, mostly whole. */
function frame(bodies: Record<number, Body>, random: Random): Uint8Array {
  const types = Object.keys(bodies).map(Number);
  const own = random.pick(types);
  const body = bodies[own](random);
  const type = random.chance(97) ? own : random.below(256);
  const bytes = packFrame(type, random.chance(3) ? mutateBytes(body, random) : body);
  // This may change its length, too.
  return random.chance(1) ? mutateBytes(bytes, random) : bytes;
}

interface Stream {
  readonly bytes: Uint8Array;
  /** The size of the pieces that it is cut into. */
  readonly chunk: number;
}

function stream(bodies: Record<number, Body>, first: Body | undefined): (random: Random) => Stream {
  return (random) => {
    const all = Array.from({ length: LENGTH - 1 }, () => frame(bodies, random));
    if (first) all.unshift(first(random));
    return { bytes: Buffer.concat(all), chunk: random.pick([1, 7, 100, 4096, 1 << 20]) };
  };
}

const show = ({ bytes, chunk }: Stream) =>
  `in pieces of ${chunk}: ${Buffer.from(bytes).toString("hex").slice(0, 20_000)}`;

function* pieces({ bytes, chunk }: Stream): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
}

/** A socket whose other end does not exist. */
class NoSocket extends Duplex {
  sent = 0;

  override _read(): void {}

  override _write(chunk: Uint8Array, _: string, done: () => void): void {
    this.sent += chunk.length;
    done();
  }

  destroySoon(): void {
    this.end(() => this.destroy());
  }
}

frames("a target's frames in any pieces never make its link throw", () =>
  fuzz<Stream>({
    name: "target frames",
    ...{ reduced: 200, full: 100_000 / TAKEN },
    make: stream(TARGETS, undefined),
    check: async (input) => {
      const socket = new NoSocket();
      const link = new AgentLink(socket as unknown as Socket, {
        onFarewell: () => Promise.resolve(),
        onExpired() {},
        onSource: () => Promise.resolve({}),
      }, { collectTimeout: 5000, isTraced: true });
      const waiting = [link.stop({ run: 0, hold: true }), link.fetchSources(["1"])];
      waiting.push(link.listScripts() as never, link.trace([]) as never);
      for (const work of waiting) work.catch(() => {});
      const reader = new FrameReader((type, body) => link.receive(type, body), LIMIT);
      for (const piece of pieces(input)) {
        if (socket.destroyed || !push(reader, piece)) break;
      }
      socket.destroy();
      await Promise.all([link.closed, ...waiting.map((work) => work.catch(() => {}))]);
      await turn();
    },
    show,
  }));

/** @returns whether the stream goes on; only a RangeError ends it. */
function push(reader: FrameReader, piece: Uint8Array): boolean {
  try {
    reader.push(piece);
    return true;
  } catch (error) {
    if (!(error instanceof RangeError) || /\n/.test(error.message)) throw error;
    return false;
  }
}

frames("the server's frames in any pieces never make an agent throw", () =>
  fuzz<Stream>({
    name: "agent frames",
    ...{ reduced: 200, full: 100_000 / TAKEN },
    make: stream(SERVERS, (random) => packFrame(FRAME.welcome, json(WELCOME)(random))),
    check: async (input) => {
      const socket = new NoSocket();
      const isolate: Isolate = {
        batch: () => Promise.resolve({ isWhole: true, gate: 1 }),
        release() {},
        disconnect() {},
      };
      let end!: () => void;
      const ended = new Promise<void>((resolve) => end = resolve);
      const agent = new Agent(new Int32Array(new SharedArrayBuffer(4096)), {
        socket: socket as unknown as Socket,
        hello: { ...HELLO, collector: "trace" },
        start: () => Promise.resolve(isolate),
        trace: () => Promise.resolve(),
        list: () => Promise.resolve([]),
        detach: () => void agent.detach(),
        ended: () => end(),
      });
      const probing = agent.probe(SOURCE);
      for (const piece of pieces(input)) {
        if (socket.destroyed) break;
        socket.push(piece);
        if (input.chunk > 100) await turn();
      }
      await turn();
      socket.destroy();
      await Promise.all([ended, probing]);
    },
    show,
  }));

/** A command's first frame, or a target's. */
const first: Body = (random) =>
  random.chance(50)
    ? packFrame(FRAME.hello, json(HELLO)(random))
    : packFrame(FRAME.request, json({ kind: "targets", options: { a: 1 } })(random));

let control: ControlSocket;
const warnings: string[] = [];
frames.before(async () => {
  control = await listen({
    admit: (link, { name }) => name.length % 2 === 0 && link.refuse(),
    answer: (request) => Promise.resolve(request),
  }, {
    ...{ mode: 0o600, uid: process.getuid!(), gid: process.getgid!(), collectTimeout: 5000 },
    reporter: { warn: (line) => warnings.push(line) },
  });
});
frames.after(() => control[Symbol.asyncDispose]());

frames(
  "what comes in on the control socket ends its connection at most, with one line",
  () =>
    fuzz<Stream>({
      name: "control frames",
      ...{ reduced: 200, full: 100_000 / TAKEN },
      make: stream(TARGETS, first),
      check: async ({ bytes, chunk }) => {
        const socket = connect(control.path);
        socket.on("error", () => {});
        socket.resume();
        const closed = once(socket, "close");
        await Promise.race([once(socket, "connect"), closed]);
        for (const piece of pieces({ bytes, chunk: Math.max(chunk, 100) })) {
          if (socket.destroyed || !socket.writable) break;
          socket.write(piece);
        }
        socket.end();
        await closed;
        const lines = warnings.splice(0);
        if (lines.length > 1) throw new Error(`it says ${lines}`);
        if (lines.some((line) => /\n/.test(line))) throw new Error(`it says in lines: ${lines}`);
      },
      show,
    }),
);

frames.run();
