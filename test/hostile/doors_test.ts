/** The control socket's rights: users whom its mode lets in, with real users and real servers. */
import { chmodSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { askServer } from "../../src/messages/control_client.ts";
import type { TargetRow } from "../../src/messages/requests.ts";
import { connectSession } from "../../src/targets/cdp/connect_session.ts";
import { findEndpoint } from "../../src/targets/cdp/endpoint.ts";
import { Teller } from "../e2e/attach_world.ts";
import { execute, type Finished, KCOVFS, lineWith, NODES, ON_DENO, Scene } from "../e2e/harness.ts";
import { isolate } from "./isolated.ts";

isolate();

const doors = suite("doors");

const [ALICE, BOB] = [4001, 4002];
const DIST = fileURLToPath(new URL("../..", import.meta.url));
const WAITING = "setInterval(() => {}, 1000); console.log('ready')";
const CONTAINER = [
  "unshare",
  "--pid",
  "--fork",
  "--kill-child",
  "--mount-proc",
];
const REFUSED = /only root, the server's user and the user whose process it is may do that/;

/** The command before another that runs it as a user. */
const as = (uid: number) => [
  ...["setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, "--clear-groups"],
];

/** A scene that all users can enter, with a server that lets them in. */
async function open(
  { runtime = [], options = [] }: {
    runtime?: readonly string[];
    options?: string[];
  } = {},
) {
  const scene = new Scene();
  chmodSync(scene.folder, 0o755);
  const server = await scene.serveWith(
    { runtime },
    "--mode",
    "666",
    ...options,
  );
  const command = (uid: number, ...args: string[]): Promise<Finished> =>
    execute([...as(uid), KCOVFS, ...args], {
      env: { KCOVFS_MOUNT: scene.mount, HOME: "/nonexistent" },
    });
  const rows = (): Promise<readonly TargetRow[]> => askServer(scene.control, "targets");
  const alive = async () => (await rows()).filter(({ state }) => !state.startsWith("ended"));
  return {
    ...{ scene, server, command, alive },
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

function assertRefused(
  { status, stdout, stderr }: Finished,
  reason = REFUSED,
): void {
  assert.equal([status, stdout], [1, ""], stderr);
  assert.match(stderr, reason);
  assert.is(stderr.split("\n").length, 2, stderr);
}

function assertDone({ status, stderr }: Finished): void {
  assert.equal([status, stderr], [0, ""]);
}

/** Whether a process listens at a port of this network. */
function listens(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return new RegExp(`^ *\\d+: [0-9A-F]+:${hex} \\S+ 0A `, "m").test(
    readFileSync("/proc/net/tcp", "latin1"),
  );
}

for (const [name, runtime] of [["Node", []], ["Deno", ON_DENO]] as const) {
  doors(
    `served on ${name}: who may read can neither attach nor detach what is another's`,
    async () => {
      await using world = await open({ runtime });
      const { scene, command, alive } = world;
      const roots = await Teller.start(scene, NODES["Node 24"]);
      const inspected = scene.start([
        ...[
          ...as(BOB),
          NODES["Node 24"],
          "--inspect=127.0.0.1:9333",
          "-e",
          WAITING,
        ],
      ]);
      await lineWith(inspected, "ready");
      assertRefused(await command(ALICE, "attach", String(roots.pid)));
      assert.not(listens(9229), "it was not even asked for its inspector");
      assertRefused(await command(ALICE, "attach", "127.0.0.1:9333"));
      assertRefused(await command(ALICE, "attach", "localhost:9229"));
      assertDone(await scene.command("attach", String(roots.pid)));
      const { stdout, ...rest } = await command(ALICE, "ps");
      assertDone({ stdout, ...rest });
      assert.match(stdout, /attach_target/);
      assertRefused(await command(ALICE, "detach", "attach_target"));
      assertRefused(
        await command(ALICE, "report", "--reset"),
        /only root, the server's user and uid 0, whose device it is, may reset/,
      );
      await roots.state();
      assertDone(await command(ALICE, "report"));
      assert.equal((await alive()).map(({ pid }) => pid), [roots.pid]);
    },
  );
}

doors(
  "the user of a process can attach to it and let it go, and so can root",
  async () => {
    await using world = await open();
    const { scene, command, alive } = world;
    const teller = await Teller.start(scene, NODES["Node 24"], {
      before: as(ALICE),
    });
    const before = await teller.state();
    for (const args of [[String(teller.pid)], [String(teller.pid)]]) {
      assertDone(await command(ALICE, "attach", ...args));
      assertRefused(await command(BOB, "detach", "attach_target"));
      assert.equal((await alive()).map(({ pid }) => pid), [teller.pid]);
      assertDone(await command(ALICE, "detach", "attach_target"));
    }
    assert.is(await teller.state(), before);
    assertDone(await command(0, "attach", String(teller.pid)));
    assertDone(await command(ALICE, "detach", "attach_target"));
    assertDone(await command(ALICE, "attach", String(teller.pid)));
    assertDone(await command(0, "detach", "attach_target"));
  },
);

doors(
  "an inspector's address can be attached to by the user who listens there",
  async () => {
    await using world = await open();
    const { scene, command } = world;
    const inspected = scene.start([
      ...[
        ...as(ALICE),
        NODES["Node 24"],
        "--inspect=127.0.0.1:9334",
        "-e",
        WAITING,
      ],
    ]);
    await lineWith(inspected, "ready");
    assertRefused(await command(BOB, "attach", "127.0.0.1:9334"));
    assertDone(
      await command(ALICE, "attach", "127.0.0.1:9334", "--name", "hers"),
    );
    assertRefused(await command(BOB, "detach", "hers"));
    assertDone(await command(ALICE, "detach", "hers"));
  },
);

/** A peer that knows nothing but the protocol: it sends what it is told to, and stays. */
const PEER = `
import { connect } from "node:net";
const { FRAME, packFrame, PROTOCOL_VERSION } = await import(process.argv[1]);
const [, , socket, text] = process.argv;
const { kind, ...rest } = JSON.parse(text);
const value = kind === "hello" ? { protocol: PROTOCOL_VERSION, runtime: "node", ...rest } : rest.value;
const connection = connect(socket, () => {
  connection.write(packFrame(FRAME[kind], Buffer.from(JSON.stringify(value))));
  console.log("said");
});
connection.on("data", (data) => console.log(data.subarray(5).toString()));
connection.on("close", () => process.exit());
`;

const peer = (scene: Scene, value: object) => [
  ...[
    process.execPath,
    "--input-type=module",
    "-e",
    PEER,
    path.join(DIST, "src/messages/protocol.js"),
  ],
  ...[scene.control, JSON.stringify(value)],
];

doors(
  "a target is the process that has connected, whatever it says",
  async () => {
    await using world = await open();
    const { scene, alive } = world;
    const roots = scene.start(
      peer(scene, { kind: "hello", name: "roots", pid: 7 }),
    );
    await lineWith(roots, "pipe");
    const claims = { kind: "hello", name: "liar", pid: roots.pid };
    const liar = scene.start([...as(ALICE), ...peer(scene, claims)]);
    await lineWith(liar, "pipe");
    const shown = (await alive()).map(({ name, pid }) => [name, pid]);
    assert.equal(shown, [["roots", roots.pid], ["liar", liar.pid]]);
    // Such a thread would be stopped and released with another process's.
    const thread = scene.start([
      ...as(ALICE),
      ...peer(scene, { ...claims, parent: 1, tid: 9 }),
    ]);
    await new Promise((resolve) => thread.once("exit", resolve));
    assert.is((await alive()).length, 2);
    assert.match(
      world.server.warnings(),
      /a thread of another process has started it/,
    );
  },
);

doors("the pipe at which a target is held is its user's alone", async () => {
  await using world = await open();
  const { scene } = world;
  const target = scene.start([
    ...as(ALICE),
    ...peer(scene, { kind: "hello", name: "hers", pid: 7 }),
  ]);
  const { pipe } = JSON.parse(await lineWith(target, "pipe"));
  for (const [uid, status] of [[ALICE, 0], [BOB, 1]]) {
    const opened = await execute([...as(uid), "sh", "-c", `exec 3<>${pipe}`]);
    assert.is(opened.status === 0 ? 0 : 1, status, `${uid}: ${opened.stderr}`);
  }
});

doors(
  "an inspector that was opened is closed again, also where the agent cannot go",
  async () => {
    await using world = await open();
    const { scene, command, alive } = world;
    const began = readdirSync("/proc").map(Number);
    const inside = scene.start([...CONTAINER, NODES["Node 24"], "-e", WAITING]);
    await lineWith(inside, "ready");
    // The process in the container is the only new one whose program is Node's.
    const isNode = (pid: number) =>
      readlinkSync(`/proc/${pid}/exe`) === realpathSync(NODES["Node 24"]);
    const [pid] = readdirSync("/proc").map(Number).filter((pid) =>
      pid > 0 && !began.includes(pid) && isNode(pid)
    );
    assertDone(await command(0, "attach", String(pid), "--name", "inside"));
    assert.equal((await alive()).map(({ link }) => link), ["inspector"]);
    assert.ok(listens(9229), "it is measured by it");
    assertDone(await command(0, "detach", "inside"));
    for (let i = 0; listens(9229) && i < 100; i++) await sleep(50);
    assert.not(listens(9229));
  },
);

doors(
  "what begins a session while an inspector is open loses it with the port",
  async () => {
    await using world = await open();
    const { scene, command } = world;
    for (const node of Object.values(NODES)) {
      const teller = await Teller.start(scene, node);
      const attaching = command(
        0,
        "attach",
        String(teller.pid),
        "--name",
        "api",
      );
      while (!listens(9229)) await sleep(1);
      const intruder = findEndpoint(["127.0.0.1"], 9229).then(
        async ({ inspectables }) => {
          const session = await connectSession(inspectables[0].webSocketUrl);
          for (;;) {
            await session.send("Runtime.evaluate", { expression: "1" }, {
              timeout: 5000,
            });
          }
        },
      ).catch(() => "it has ended");
      assertDone(await attaching);
      assert.not(listens(9229));
      assert.is(await intruder, "it has ended");
      assertDone(await command(0, "detach", "api"));
    }
  },
);

doors(
  "a target in another pid namespace has the number by which the server sees it",
  async () => {
    await using world = await open();
    const { scene, alive } = world;
    const inside = scene.start([
      ...[...CONTAINER, ...scene.run("inside"), process.execPath, "-e"],
      "setInterval(() => {}, 1000); new (require('worker_threads').Worker)('setInterval(() => {}, 1000)', { eval: true }); console.log(process.pid)",
    ]);
    const own = Number(await lineWith(inside, ""));
    const until = performance.now() + 10_000;
    while ((await alive()).length < 2 && performance.now() < until);
    const [main, worker] = await alive();
    assert.is.not(main.pid, own);
    const namespaces = readFileSync(`/proc/${main.pid}/status`, "latin1").match(
      /^NSpid:.*$/m,
    )?.[0];
    assert.match(namespaces ?? "", new RegExp(`\\t${main.pid}\\t${own}$`));
    assert.equal([worker.parent, worker.pid, worker.tid], [
      main.id,
      main.pid,
      undefined,
    ]);
  },
);

doors("a target that the server does not see has no number", async () => {
  await using scene = new Scene();
  const server = scene.start([
    ...[
      ...CONTAINER,
      "sh",
      "-c",
      'mkdir -p "$1" && exec "$0" mount --state "$2" "$1"',
    ],
    ...[KCOVFS, scene.mount, scene.state],
  ]);
  await lineWith(server, "mounted on");
  const [folder] = (await execute(["ls", "/run/kcovfs"])).stdout.trim().split(
    "\n",
  );
  const socket = `/run/kcovfs/${folder}/socket`;
  const target = scene.start([
    process.execPath,
    "-e",
    "setInterval(() => {}, 1000)",
  ], {
    env: {
      KCOVFS_SOCKET: socket,
      KCOVFS_NAME: "outside",
      NODE_OPTIONS: `--require=${path.join(DIST, "src/agent/inside/preload.cjs")}`,
    },
  });
  let rows: readonly TargetRow[] = [];
  const until = performance.now() + 10_000;
  while (rows.length === 0 && performance.now() < until) {
    rows = await askServer(socket, "targets");
  }
  assert.equal(rows.map(({ name, pid }) => [name, pid]), [["outside", 0]]);
  assert.ok(target.pid! > 0);
});

doors(
  "other machines are connected to where the server was started so, not where a client asks",
  async () => {
    for (const isAllowed of [false, true]) {
      await using world = await open({
        options: isAllowed ? ["--allow-remote"] : [],
      });
      const { scene, command } = world;
      const params = { address: "192.0.2.1:9229", allowRemote: true };
      const said = peer(scene, {
        kind: "request",
        value: { kind: "attach", params },
      });
      const { stdout } = await execute(said);
      const isRefused = /it is not this machine; start the server with --allow-remote/.test(
        stdout,
      );
      assert.is(isRefused, !isAllowed, stdout);
      assert.match(stdout, /Cannot attach to 192.0.2.1:9229/);
      assertRefused(await command(ALICE, "attach", "192.0.2.1:9229"));
    }
  },
);

doors("'attach --allow-remote' says whose option it is now", async () => {
  const { status, stderr } = await execute([
    KCOVFS,
    "attach",
    "--allow-remote",
    "127.0.0.1:1",
  ]);
  assert.is(status, 2);
  assert.match(
    stderr,
    /--allow-remote is an option of the server: start it with 'kcovfs mount --allow-remote'/,
  );
});

doors.run();
