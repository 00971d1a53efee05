/** Programs that run already get probes, and lose them again. They answer as before throughout. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { askServer } from "../../src/messages/control_client.ts";
import type { TargetRow } from "../../src/messages/requests.ts";
import { Asker } from "./attach_world.ts";
import { compileFile, DENO, execute, type Finished, NODES, Scene, WITH_DENO } from "./harness.ts";
import { isolate } from "../hostile/isolated.ts";
import { rounds } from "../rounds.ts";

// Inspectors that are opened by a signal are all at the same port.
isolate();

const attach = suite("attach, with probes");

const TRACE = ["--collector", "trace"];
const ROUNDS = rounds(2, { long: 10 });
const CLIENT = new URL("../../../examples/clients/trace.c", import.meta.url).pathname;

/** The requests to services that run, and to those that were started with probes. */
const INPUTS = {
  paths: ["\x01", "\x03", "\x1a"],
  live: ["c", "a", "h", "n"],
  js_yaml: ["a: 1", "- x\n- &y z\n- *y", "a: [1, {b: !!x"],
};

/** Blocks of \`live\` that are not seen when it is attached to, and what is told of them. */
const EXCEPTIONS = [
  ["live.mjs:22.3,24.19", "live.mjs 22:3 #balance = 10;"],
  ["live.mjs:44.1,49.2", "live.mjs 44:1 function* numbers(): it waits"],
  ["live.mjs:45.35,48.4", "function* numbers()"],
  ["live.mjs:46.23,46.30", "function* numbers()"],
  ["live.mjs:46.30,47.18", "function* numbers()"],
  ["live.mjs:47.18,48.4", "function* numbers()"],
];

/** How a request is cut into pieces is chance. */
const CHANCE = ["--exclude", "**/serve.cjs"];

/** A runtime, and how a service is attached to under it. */
interface Runtime {
  readonly node: string;
  readonly args: string[];
  readonly addressOf: (pid: number) => string;
}

const RUNTIMES = new Map<string, Runtime>([
  ...Object.entries(NODES).map(([name, node]): [string, Runtime] => [
    name,
    { node, args: [], addressOf: String },
  ]),
  ["Deno", {
    node: DENO,
    args: ["run", "-A", "--inspect=127.0.0.1:9339"],
    addressOf: () => "127.0.0.1:9339",
  }],
]);

function scenario(sentence: string, run: () => Promise<void>): void {
  if (sentence.includes(process.argv[2] ?? "")) attach(sentence, run);
}

function assertDone({ status, stderr }: Finished): void {
  assert.equal([status, stderr], [0, ""]);
}

/** A service that runs without us, and the ways to deal with it. */
class World {
  readonly scene: Scene;
  readonly service: { socket: string; pid: number; child: ChildProcess };
  readonly #address: string;

  private constructor(
    scene: Scene,
    service: { socket: string; pid: number; child: ChildProcess },
    address: string,
  ) {
    this.scene = scene;
    this.service = service;
    this.#address = address;
  }

  get socket(): string {
    return this.service.socket;
  }

  get pid(): number {
    return this.service.pid;
  }

  static async start(
    scene: Scene,
    name: string,
    { node, args, addressOf }: Runtime,
  ): Promise<World> {
    const service = await scene.service(name, { node, args, isPlain: true });
    return new World(scene, service, addressOf(service.pid));
  }

  async attach(...options: string[]): Promise<{ stdout: string; row: TargetRow }> {
    const { stdout, ...rest } = await this.scene.command(
      ...["attach", this.#address, "--name", "live", ...options],
    );
    assertDone({ stdout, ...rest });
    const rows = await askServer(this.scene.control, "targets");
    return { stdout, row: rows.find(({ name, state }) => name === "live" && state !== "ended")! };
  }

  async detach(): Promise<void> {
    assertDone(await this.scene.command("detach", "live"));
  }

  /** The functions and scripts that stay as they are. */
  async unprobed(): Promise<string[]> {
    const scripts = await askServer(this.scene.control, "unprobed");
    return scripts.map(({ url, reason }) => `${url.split("/").at(-1)} ${reason}`).sort();
  }

  /** The blocks that a target executes for a message, each once. */
  async trace(message: string, { socket, target }: { socket: string; target: string }) {
    const file = join(this.scene.folder, "message");
    writeFileSync(file, message);
    const env = { KCOV: join(this.scene.mount, "kcov.d", target) };
    const { status, stdout, stderr } = await execute([compileFile(CLIENT), socket, file], { env });
    assert.equal([status, stderr], [0, ""]);
    return new Set(stdout.split("\n").filter(Boolean));
  }

  /** Asks the service; what it answers is 0 when it is well. */
  async ask(text: string): Promise<Set<string>> {
    return await this.trace(text, { socket: this.socket, target: "live" });
  }
}

/** A service's answer to a message of one byte. */
async function answer(socket: string, byte: string): Promise<number> {
  const asker = await import("node:net");
  const connection = asker.connect(socket);
  try {
    connection.write(Uint8Array.of(1, 0, 0, 0, byte.charCodeAt(0)));
    const [bytes] = await once(connection, "data") as [Buffer];
    return bytes.readUInt32LE();
  } finally {
    connection.destroy();
  }
}

for (const [name, runtime] of RUNTIMES) {
  scenario(
    `${name} under load is attached to and let go again and again, and answers right throughout`,
    async () => {
      await using scene = new Scene();
      const server = await scene.serve(...TRACE);
      const world = await World.start(scene, "paths", runtime);
      await using asker = new Asker(world.service);
      for (let round = 0; round < ROUNDS; round++) {
        const { stdout, row } = await world.attach();
        assert.match(
          stdout,
          /^kcovfs: attached live .* link agent, hold unneeded\): by its probes\n/,
        );
        assert.match(stdout, /\nkcovfs: \d scripts with probes, \d+ blocks\n$/);
        assert.equal([row.collector, row.live?.refused], ["trace", 0]);
        assert.ok((await world.ask("\x01")).size > 5);
        await world.detach();
      }
      process.stdout.write(
        `${asker.answers} answers, the slowest in ${asker.slowest.toFixed(0)} ms\n`,
      );
      assert.is(asker.wrong, 0);
      assert.is(server.warnings(), "");
    },
  );

  scenario(
    `${name} keeps its state, and what waits has no probes before it has ended`,
    async () => {
      await using scene = new Scene();
      await scene.serve(...TRACE);
      const world = await World.start(scene, "live", runtime);
      const checks = ["c", "a", "h", "t", "s", ...name === "Deno" ? [] : ["p"]];
      const check = async (when: string) => {
        for (const byte of checks) {
          assert.is(await answer(world.socket, byte), 0, `${byte} ${when}`);
        }
      };
      await check("before");
      await world.attach();
      await check("with probes");
      const before = await world.unprobed();
      const waits = before.filter((line) => line.includes("it waits"));
      assert.ok(waits.some((line) => line.includes("function* numbers()")), before.join("\n"));
      assert.ok(
        waits.some((line) => line.includes("async function suspended(")),
        before.join("\n"),
      );
      // A Deno has a script of its own by the name of each CommonJS file.
      const isLeft = before.some((line) =>
        /^live_templates.cjs it has tagged templates/.test(line)
      );
      assert.is(isLeft, name !== "Deno");
      const few = await world.ask("n");
      assert.is(await answer(world.socket, "o"), 0);
      let all = few;
      for (let i = 0; i < 400 && all.size < few.size + 3; i++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        all = await world.ask("n");
      }
      assert.ok(all.size >= few.size + 3, `${few.size} blocks, then ${all.size}`);
      await check("after that");
      await world.detach();
      await check("without probes");
      await world.attach();
      assert.is((await world.unprobed()).filter((line) => line.includes("it waits")).length, 0);
      await check("with probes again");
    },
  );

  scenario(`${name} executes what one executes that was started with probes`, async () => {
    await using scene = new Scene();
    await scene.serve(...TRACE);
    for (const [service, inputs] of Object.entries(INPUTS)) {
      const world = await World.start(scene, service, runtime);
      const started = await scene.service(service, {
        ...runtime.node === DENO ? { node: "deno", env: WITH_DENO } : runtime,
        args: startArgs(runtime),
        target: "started",
        globs: CHANCE,
      });
      const { row } = await world.attach(...CHANCE, "--attach-pause", "60000");
      assert.is(row.live?.isDone, true);
      const missing = new Set<string>();
      for (const input of inputs) {
        const { socket } = started;
        const wanted = await world.trace(input, { socket, target: "started" });
        const found = await world.ask(input);
        for (const pc of wanted) if (!found.has(pc)) missing.add(pc);
        const added = [...found].filter((pc) => !wanted.has(pc));
        assert.equal(await scene.symbolize(added), [], `${service} executes, too`);
      }
      const places = await scene.symbolize([...missing]);
      const told = await world.unprobed();
      const own = places.map((place) => place.split("/").at(-1)!).sort();
      assert.equal(
        own,
        service === "live" ? EXCEPTIONS.map(([place]) => place) : [],
        told.join("; "),
      );
      for (const [, text] of service === "live" ? EXCEPTIONS : []) {
        assert.ok(told.some((line) => line.includes(text)), `${text} in ${told.join("; ")}`);
      }
      await world.detach();
      process.kill(world.pid, "SIGTERM");
      started.child.kill("SIGTERM");
      await once(started.child, "exit");
    }
  });
}

/** `kcovfs run` needs no inspector. */
function startArgs({ args }: Runtime): string[] {
  return args.filter((arg) => !arg.startsWith("--inspect"));
}

scenario("a server that counts what runs gives it probes when it is asked to", async () => {
  await using scene = new Scene();
  await scene.serve("--collector", "auto");
  const world = await World.start(scene, "paths", RUNTIMES.get("Node 24")!);
  const { row } = await world.attach("--collector", "trace");
  assert.equal([row.collector, row.live?.refused], ["trace", 0]);
  assert.ok((await world.ask("\x01")).size > 5);
  await world.detach();
  assert.is((await world.attach()).row.collector, "v8");
});

scenario("probes are taken out when the server is killed, and can be had again", async () => {
  await using scene = new Scene();
  const server = await scene.serve(...TRACE);
  const world = await World.start(scene, "live", RUNTIMES.get("Node 24")!);
  await world.attach();
  server.kill("SIGKILL");
  await once(server, "exit");
  assert.is(await answer(world.socket, "c"), 0);
  await execute(["umount", "-l", scene.mount]);
  await scene.serve(...TRACE);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const { row } = await world.attach();
  assert.ok(row.scripts >= 2);
  assert.is(row.note.includes("cannot be parsed"), false);
  for (const byte of ["c", "a", "h", "t", "p", "s"]) assert.is(await answer(world.socket, byte), 0);
});

scenario("a script is left out that would stop the program for longer than it may", async () => {
  await using scene = new Scene();
  await scene.serve(...TRACE);
  const world = await World.start(scene, "js_yaml", RUNTIMES.get("Node 20")!);
  const { stdout } = await world.attach("--attach-pause", "1");
  assert.match(stdout, /; \d+ left out for now: see 'kcovfs ps -v'\n$/);
  const unprobed = await world.unprobed();
  assert.ok(
    unprobed.some((line) => /an edit of it would stop the program for some \d+ ms/.test(line)),
    unprobed.join("\n"),
  );
  const wrong = await scene.command("attach", "1", "--attach-pause", "x");
  assert.is(wrong.status, 2);
});

attach.run();
