import { createServer } from "node:net";
import { once } from "node:events";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scenarios } from "../scenarios.ts";
import { NODES } from "../blocks/v8_answers.ts";
import { eachOf } from "../rounds.ts";
import { AgentWorld, calls, type Ended, PROGRAMS } from "./agent_world.ts";

const exit = suite("agent, the end of a target");

const PROGRAM = path.join(PROGRAMS, "exit_target.cjs");

const WAYS = [
  "having nothing left to do",
  "with an exit code",
  "by `process.exit` in a handler",
  "by `process.exit` at once",
  "by an uncaught exception",
  "by an exception that a listener takes",
  "by an unhandled rejection",
  "by a rejection that is no error",
  "by a syntax error",
  "by `process.exit` in an exit listener",
  "with a code that an exit listener sets",
  "by an exception in an exit listener",
  "after a `beforeExit` that had more to do",
  "by `process.reallyExit`",
  "by a signal that it handles",
  "by a signal",
  "by a signal that it sends itself",
  "with worker threads and children of its own",
];
/** Ways to end that call no listener. */
const SILENT = ["by `process.reallyExit`", "by a signal"];

const scenario = scenarios(exit, () => AgentWorld.listening());

/** A stack that the program is shown has frames of the agent's own. */
function withoutFrames({ stderr, ...rest }: Ended): Ended {
  return { ...rest, stderr: stderr.replace(/^ {4}at .*\n/gm, "") };
}

/** Runs the program with the agent; resolves with how it ended, once the server has released it. */
async function measured(world: AgentWorld, node: string, way: string) {
  const { ended } = world.start(node, [PROGRAM, way]);
  const { link } = await world.next();
  world.welcome(link);
  return { ended: withoutFrames(await ended), reason: await link.closed };
}

for (const [way, { v8, path: node }] of eachOf(WAYS, NODES)) {
  scenario(`V8 ${v8} ends ${way}, with the agent as without`, async (world) => {
    const plain = withoutFrames(await world.start(node, [PROGRAM, way], null).ended);
    assert.ok(plain.stdout.includes("exit ") || SILENT.includes(way), plain.stderr);
    const { ended, reason } = await measured(world, node, way);
    assert.equal(ended, plain);
    if (way === "by a signal") return;
    assert.is(reason, "exited");
    assert.is(world.farewells.length, 1);
    const left = calls(world.farewells[0], "/exit_target.cjs", "leave");
    assert.is(left, plain.stdout.split("exit ").length - 1, "its last function was collected");
  });
}

const [{ path: NODE }] = NODES;

scenario("without a server a target runs as it is, with one line on stderr", async (world) => {
  const absent = path.join(world.folder, "absent");
  for (const { path: node } of NODES) {
    const { ended } = world.start(node, [PROGRAM, "with an exit code"], absent);
    assert.equal(await ended, {
      status: 5,
      signal: null,
      stdout: "exit 5\n",
      stderr: `kcovfs: no server answers at ${absent}: running without coverage\n`,
    });
  }
});

scenario("what answers and is no server does not keep a target from running", async (world) => {
  const stray = path.join(world.folder, "stray");
  const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await once(server.listen(stray), "listening");
  const { ended } = world.start(NODE, [PROGRAM, "with an exit code"], stray);
  const { status, stdout, stderr } = await ended;
  server.close();
  assert.equal([status, stdout], [5, "exit 5\n"]);
  assert.match(
    stderr,
    /^kcovfs: Cannot reach the server: it sends nonsense: [^\n]+: running without coverage\n$/,
  );
});

scenario("a server that goes before it has welcomed lets the target run", async (world) => {
  const { ended } = world.start(NODE, [PROGRAM, "with an exit code"]);
  await world.next();
  await world.vanish();
  const { status, stdout, stderr } = await ended;
  assert.equal([status, stdout], [5, "exit 5\n"]);
  assert.match(stderr, /^kcovfs: no server answers at [^\n]+\n$/);
});

scenario("a welcome that comes too late changes nothing", async (world) => {
  const { child, ended } = world.start(NODE, [PROGRAM, "after two seconds"]);
  const { link } = await world.next();
  // The agent gives up after ten seconds.
  await once(child.stderr!, "data");
  world.welcome(link);
  const { status, stdout, stderr } = await ended;
  assert.equal([status, stdout], [0, "done\nexit 0\n"]);
  assert.match(stderr, /^kcovfs: no server answers at [^\n]+\n$/);
});

scenario(
  "a server that takes no last coverage keeps a target waiting only so long",
  async (world) => {
    const { ended } = world.start(NODE, [PROGRAM, "with an exit code"]);
    const { link } = await world.next();
    world.silence();
    world.welcome(link);
    assert.equal(await ended, { status: 5, signal: null, stdout: "exit 5\n", stderr: "" });
  },
);

scenario("a target that is held when it is killed is gone", async (world) => {
  const target = await world.hold(NODE, "in a loop");
  await target.link.stop({ run: 0, hold: true });
  target.child.kill("SIGKILL");
  assert.is((await target.ended).signal, "SIGKILL");
  assert.is(await target.link.closed, "connection lost");
});

exit.run();
