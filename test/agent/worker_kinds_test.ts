import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NODES } from "../blocks/v8_answers.ts";
import { AgentWorld, calls, PROGRAMS } from "./agent_world.ts";

const kinds = suite("agent, how worker threads are started");

const PROGRAM = path.join(PROGRAMS, "worker_kinds.cjs");
/** Each kind of worker, its name, and the number of worker threads that it makes targets. */
const KINDS: [kind: string, name: string, threads: number][] = [
  ["by nothing but its text", "worker", 1],
  ["with a name", "painter", 1],
  ["with an empty environment", "worker", 1],
  ["with an environment of its own", "worker", 1],
  ["with a copy of the environment", "worker", 1],
  ["with a shared environment", "worker", 1],
  ["with no options of Node's", "worker", 1],
  ["with options of Node's", "worker", 1],
  ["with limits", "worker", 1],
  ["with data and a port", "worker", 1],
  ["with environment data of its own", "worker", 1],
  ["by a class of the user's", "worker", 1],
  ["by a module", "worker", 1],
  ["by another worker", "worker", 2],
  ["wrongly", "", 0],
];

for (const { v8, path: node } of NODES) {
  for (const [kind, name, threads] of KINDS) {
    const sentence = `V8 ${v8} starts a worker thread ${kind}, with the agent as without`;
    if (!sentence.includes(process.argv[2] ?? "")) continue;
    kinds(sentence, async () => {
      await using world = await AgentWorld.listening();
      const plain = await world.start(node, [PROGRAM, kind], null).ended;
      assert.equal([plain.status, plain.stderr], [0, ""]);
      const hellos: unknown[] = [];
      let id = 1;
      world.onStarted(({ link, hello }) => {
        hellos.push([hello.name, hello.parent]);
        assert.ok(hello.tid! > 0 && hello.tid !== hello.pid);
        world.welcome(link);
        id++;
      });
      const { ended } = world.start(node, [PROGRAM, kind]);
      world.welcome((await world.next()).link);
      assert.equal(await ended, plain);
      assert.equal(hellos, Array.from({ length: threads }, (_, i) => [name, i + 1]));
      const last = world.farewells.flat();
      assert.is(calls(last, "/kind.js", "first"), Math.min(threads, 1), "its first line");
      assert.is(calls(last, "/kind.js", "leave"), Math.min(threads, 1), "its last function");
    });
  }
}

kinds.run();
