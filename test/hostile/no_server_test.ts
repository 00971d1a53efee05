/** Whatever listens in place of a server, or if nothing does, a program runs as without kcovfs. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FRAME, packFrame } from "../../src/messages/protocol.ts";
import { targetEnvironment } from "../../src/cli/target_environment.ts";
import { COLLECTORS, NODES } from "./start_world.ts";

const noServer = suite<{ folder: string }>("no server");

/** Runs for a while, during which anything that a server does to the agent takes effect. */
const PROGRAM = `let n = 0;
const timer = setInterval(() => { if (++n === 40) { clearInterval(timer); console.log("end"); } }, 5);
process.exitCode = 3;`;
const WITHOUT = /^kcovfs: [^\n]+: running without coverage\n$/;

/** The treatment of a peer that connects, and the line that is printed. */
interface Way {
  readonly name: string;
  readonly greet: (socket: Socket, folder: string) => void;
  readonly says: RegExp;
}

/** A server's welcome, after which the program starts. */
function welcome(folder: string, pipe = "pipe"): Uint8Array {
  spawnSync("mkfifo", [join(folder, pipe)]);
  const areas = { isHeld: true, areas: [] };
  const rest = {
    id: 1,
    name: "it",
    holdTimeout: 1000,
    pipe: join(folder, pipe),
  };
  return packFrame(
    FRAME.welcome,
    Buffer.from(JSON.stringify({ ...rest, ...areas })),
  );
}

let pipes = 0;
const WAYS: readonly Way[] = [
  { name: "hangs up", greet: (socket) => socket.destroy(), says: WITHOUT },
  {
    name: "says what is no frame",
    greet: (socket) => socket.write("x".repeat(100)),
    says: WITHOUT,
  },
  {
    name: "says a welcome that is no JSON",
    greet: (socket) => socket.write(packFrame(FRAME.welcome, Buffer.from("{"))),
    says: WITHOUT,
  },
  {
    name: "names a pipe that there is not",
    greet: (socket, folder) => socket.write(welcome(join(folder, "nix"))),
    says: WITHOUT,
  },
  {
    name: "hangs up after its welcome",
    greet: (socket, folder) => socket.end(welcome(folder, `pipe-${pipes++}`)),
    says: /^(kcovfs: [^\n]+: running without coverage\n)?$/,
  },
  {
    name: "says nonsense after its welcome",
    greet: (socket, folder) => {
      socket.write(welcome(folder, `pipe-${pipes++}`));
      setTimeout(() => socket.write("x".repeat(100)), 100);
    },
    says: /^(kcovfs: [^\n]+: running without coverage\n)?$/,
  },
  {
    name: "says nothing",
    greet: () => {},
    says: /^kcovfs: no server answers at [^\n]+: running without coverage\n$/,
  },
];

noServer.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "kcovfs-none-"));
  writeFileSync(join(context.folder, "main.cjs"), PROGRAM);
});

noServer.after(({ folder }) => {
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  node: string,
  { env, file }: { env: NodeJS.ProcessEnv; file: string },
): Promise<Ended> {
  const child = spawn(node, [file], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
  return new Promise((resolve) =>
    child.on(
      "close",
      (status, signal) => resolve({ status, signal, stdout, stderr }),
    )
  );
}

function listen(
  path: string,
  greet: (socket: Socket) => void,
): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.resume();
    greet(socket);
  });
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

for (const [number, { name, greet, says }] of WAYS.entries()) {
  noServer(`a program runs where the server ${name}`, async ({ folder }) => {
    const path = join(folder, `socket-${number}`);
    const sockets: Socket[] = [];
    const server = await listen(path, (socket) => {
      sockets.push(socket);
      greet(socket, folder);
    });
    const runs = [...NODES.values()].flatMap((node) =>
      COLLECTORS.map(async (collector) => {
        const env = targetEnvironment(path, { collector });
        const { stderr, ...rest } = await run(node, {
          env,
          file: join(folder, "main.cjs"),
        });
        assert.equal(
          rest,
          { status: 3, signal: null, stdout: "end\n" },
          stderr,
        );
        assert.match(stderr, says);
      })
    );
    await Promise.all(runs);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

noServer(
  "a program runs where a server that is gone has left its socket",
  async ({ folder }) => {
    const path = join(folder, "left");
    // Its process ends without a word to the socket.
    const script = `require("net").createServer().listen(${JSON.stringify(path)}, () =>
    process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script]);
    for (const collector of COLLECTORS) {
      const env = targetEnvironment(path, { collector });
      const ended = await run(process.execPath, {
        env,
        file: join(folder, "main.cjs"),
      });
      assert.equal(ended, {
        status: 3,
        signal: null,
        stdout: "end\n",
        stderr: `kcovfs: no server answers at ${path}: running without coverage\n`,
      });
    }
  },
);

noServer.run();
