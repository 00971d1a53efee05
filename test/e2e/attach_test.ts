/** Running processes become targets, are read exactly, and are as before when they are released. */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { askServer } from "../../src/messages/control_client.ts";
import { isolate } from "../hostile/isolated.ts";
import { rounds } from "../rounds.ts";
import { until } from "../until.ts";
import { Asker, COLLECTING, memoryWithoutGarbage, Teller } from "./attach_world.ts";
import { assertExact } from "./exact_loop.ts";
import { compile, execute, type Finished, NODES, Scene, SERVICES } from "./harness.ts";

// Nobody else takes the inspector's port here. Each process that is attached to opens that port.
isolate();

const attach = suite("attach");

const ROUNDS = rounds(70, { long: 200 });
const WARM_ROUNDS = rounds(30, { long: 40 });
/** KiB by which memory may grow in the other tests. */
const GROWTH = 16 * 1024;
const REQUESTS = rounds(400, { long: 2000 });
const BUSY_REQUESTS = rounds(100, { long: 1000 });
/** Without it V8 takes some 16 MB more for new objects, once, when a process has been busy for a while. */
const SMALL_NURSERY = "--max-semi-space-size=1";
/** Without it the C library keeps memory for each thread that has existed. */
const ONE_ARENA = { MALLOC_ARENA_MAX: "1" };

attach.before(() => {
  compile("exactness");
});

function scenario(sentence: string, run: () => Promise<void>): void {
  if (sentence.includes(process.argv[2] ?? "")) attach(sentence, run);
}

function assertDone({ status, stderr }: Finished): void {
  assert.equal([status, stderr], [0, ""]);
}

for (const [name, node] of Object.entries(NODES)) {
  scenario(
    `requests to ${name} by its process id are read without a mistake, idle and busy`,
    async () => {
      await using scene = new Scene();
      await scene.serve();
      const service = await scene.service("paths", { node, isPlain: true });
      const { socket, pid } = service;
      {
        await using asker = new Asker(service);
        await until(() => asker.answers >= 3000);
      }
      const { stdout, ...rest } = await scene.command("attach", String(pid), "--name", "api");
      assertDone({ stdout, ...rest });
      assert.match(
        stdout,
        new RegExp(
          `^kcovfs: attached api \\(pid ${pid}, node v[^,]+, link agent, hold gate\\): counted by V8, for it runs already; of functions that have run before, only calls are seen\\n$`,
        ),
      );
      await assertExact({ kcov: scene.kcov, socket, requests: REQUESTS });
      scene.keepBusy();
      await assertExact({ kcov: scene.kcov, socket, requests: BUSY_REQUESTS });
      const [row] = await scene.targets();
      assert.equal([row.name, row.link, row.hold, row.state], ["api", "agent", "gate", "running"]);
    },
  );

  scenario(
    `${name} is as it was before when it is let go, or when its server goes`,
    async () => {
      await using scene = new Scene();
      const teller = await Teller.start(scene, node);
      const before = await teller.state();
      const attached = async () => {
        assertDone(await scene.command("attach", String(teller.pid)));
        assert.is.not(await teller.state(), before);
      };
      const server = await scene.serve();
      await attached();
      assertDone(await scene.command("detach", "attach_target"));
      await assertSettles(teller, before, "detached");
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        const current = signal === "SIGTERM" ? server : await scene.serve();
        await attached();
        current.kill(signal);
        await once(current, "exit");
        await assertSettles(teller, before, signal);
        await execute(["umount", "-l", scene.mount]);
      }
    },
  );
}

/** Starts a thread and a process when it is told to. They print the options with which they run. */
const STARTER = `
import { fork } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker } from "node:worker_threads";
const [, , kind, folder] = process.argv;
const self = fileURLToPath(import.meta.url);
if (!isMainThread) {
  writeFileSync(folder + "/thread", process.execArgv.join(" "));
  setInterval(() => {}, 1000);
} else if (kind === "child") {
  setInterval(() => {}, 1000);
} else {
  process.on("SIGUSR2", () => {
    new Worker(self, { name: "thread", argv: [kind, folder] });
    const child = fork(self, ["child"]);
    process.on("SIGTERM", () => (child.kill(), process.exit()));
  });
  setInterval(() => {}, 1000);
  console.log("ready");
}
`;

for (const [name, node] of Object.entries(NODES)) {
  scenario(
    `threads and processes that ${name} starts when it was attached to join it`,
    async () => {
      await using scene = new Scene();
      await scene.serve();
      const file = join(scene.folder, "starter.mjs");
      writeFileSync(file, STARTER);
      const options = ["--max-old-space-size=200", "--conditions", "special"];
      const child = scene.start([node, ...options, file, "main", scene.folder]);
      await once(child.stdout!, "data");
      const pid = String(child.pid);
      assertDone(await scene.command("attach", pid, "--exclude", "**/nothing.js"));
      process.kill(child.pid!, "SIGUSR2");
      const names = async () => (await scene.targets()).map(({ name }) => name).sort().join(" ");
      const wanted = "starter starter.starter starter.thread";
      await until(async () => await names() === wanted, wanted);
      assert.is(readFileSync(join(scene.folder, "thread"), "utf8"), options.join(" "));
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  );
}

/** Waits until a program is in a state; it may take a moment. */
async function assertSettles(teller: Teller, wanted: string, when: string): Promise<void> {
  let state = "";
  const isSo = async () => (state = await teller.state()) === wanted;
  await until(isSo).catch(() => assert.is(state, wanted, when));
}

scenario(
  `a service is attached to and let go ${ROUNDS} times, and answers throughout`,
  async () => {
    await using scene = new Scene();
    const options = [COLLECTING, SMALL_NURSERY];
    const server = await scene.serveWith({
      env: { ...ONE_ARENA, NODE_OPTIONS: options.join(" ") },
    });
    const service = await scene.service("paths", {
      isPlain: true,
      args: options,
      env: ONE_ARENA,
    });
    const { pid } = service;
    const { control } = scene;
    await using asker = new Asker(service);
    const memory = async () => ({
      service: await memoryWithoutGarbage(pid),
      server: await memoryWithoutGarbage(server.pid!),
    });
    let warm = await memory();
    let answers = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const [{ id }] = await askServer(control, "attach", { address: String(pid) });
      await askServer(control, "detach", { target: String(id) });
      assert.ok(asker.answers > answers, `no answer in round ${round}`);
      answers = asker.answers;
      if (round === WARM_ROUNDS) warm = await memory();
    }
    const last = await memory();
    process.stdout.write(
      `service ${warm.service} to ${last.service} KiB, server ${warm.server} to ${last.server} KiB, ` +
        `${asker.answers} answers, the slowest in ${asker.slowest.toFixed(0)} ms\n`,
    );
    assert.is(asker.wrong, 0);
    assert.ok(last.service - warm.service < GROWTH, "the service has grown");
    assert.ok(last.server - warm.server < GROWTH, "the server has grown");
  },
);

scenario("an inspector is attached to by its address or its URL, and stays open", async () => {
  await using scene = new Scene();
  await scene.serve();
  const teller = await Teller.start(scene, NODES["Node 24"], { args: ["--inspect=127.0.0.1:0"] });
  const before = await teller.state();
  const url: string = JSON.parse(before).inspector;
  for (const address of [new URL(url).host, url, String(teller.pid)]) {
    assertDone(await scene.command("attach", address, "--name", "x"));
    assertDone(await scene.command("detach", "x"));
    await assertSettles(teller, before, address);
  }
  const wrong = await scene.command("attach", `ws://${new URL(url).host}/wrong`);
  assert.is(wrong.status, 1);
  assert.match(wrong.stderr, /its inspector has no \/wrong; the right one is ws:/);
});

scenario("what is let go while it is traced stops counting, and the client goes on", async () => {
  await using scene = new Scene();
  await scene.serve();
  const one = await scene.service("paths", { isPlain: true });
  const two = await scene.service("paths");
  assertDone(await scene.command("attach", String(one.pid), "--name", "one"));
  await using _asker = new Asker(one);
  const reading = assertExact({ kcov: scene.kcov, socket: two.socket, requests: 300 });
  assertDone(await scene.command("detach", "one"));
  assertDone(await scene.command("attach", String(one.pid), "--exclude", "**"));
  await reading;
  const detached = await scene.command("detach", "paths");
  assertDone(detached);
  assert.match(detached.stdout, /^kcovfs: detached paths \(pid \d+\)\n$/);
});

/** The output, one line, of a command that failed. */
async function refusal(scene: Scene, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await scene.command(...args);
  assert.equal([status, stdout, stderr.split("\n").length], [1, "", 2], stderr);
  return stderr;
}

scenario("what cannot be attached to is refused in one line, and goes on", async () => {
  await using scene = new Scene();
  const server = await scene.serve();
  const attachTo = (address: string | number) => refusal(scene, "attach", String(address));
  const plain = scene.start(["sleep", "60"]);
  assert.match(await attachTo(plain.pid!), /Cannot attach to \d+: it runs sleep, not Node/);
  assert.match(await attachTo(4194303), /there is no such process/);
  assert.match(await attachTo(server.pid!), /it is the server; start it with --self/);
  const deaf = await Teller.start(scene, NODES["Node 24"], { args: ["--disable-sigusr1"] });
  assert.match(await attachTo(deaf.pid), /it would die of SIGUSR1.*start it with --inspect/);
  await deaf.state();
  const guarded = await Teller.start(scene, NODES["Node 24"], {
    args: ["--permission", "--allow-fs-read=/proc", `--allow-fs-read=${SERVICES}/../programs`],
  });
  assert.match(await attachTo(guarded.pid), /it would die of SIGUSR1/);
  await guarded.state();
  const stopped = await Teller.start(scene, NODES["Node 20"]);
  stopped.child.kill("SIGSTOP");
  assert.match(await attachTo(stopped.pid), /it is stopped; let it go on first, by kill -CONT/);
  stopped.child.kill("SIGCONT");
  await stopped.state();
  assert.match(
    await refusal(scene, "detach", "nobody"),
    /there is no such target; see 'kcovfs ps'/,
  );
});

scenario("an inspector that cannot be had is refused in one line", async () => {
  await using scene = new Scene();
  await scene.serve();
  const teller = await Teller.start(scene, NODES["Node 20"]);
  const taken = createServer().listen(9229, "127.0.0.1");
  await once(taken, "listening");
  try {
    const message = await refusal(scene, "attach", String(teller.pid));
    assert.match(message, /its inspector's port, 9229, is taken by pid \d+ \(/);
    assert.match(
      await refusal(scene, "attach", "127.0.0.1:9229"),
      /Cannot attach to 127.0.0.1:9229: cannot find an inspector at 127.0.0.1:9229: no answer within/,
    );
  } finally {
    taken.close();
  }
  assertDone(await scene.command("attach", String(teller.pid)));
  assert.match(
    await refusal(scene, "attach", String(teller.pid)),
    /it is a target already, by the name of attach_target/,
  );
  assert.match(await refusal(scene, "attach", "localhost:1"), /127.0.0.1:1: nobody listens/);
  assert.match(
    await refusal(scene, "attach", "192.0.2.1:9229"),
    /cannot connect to 192.0.2.1: it is not this machine; start the server with --allow-remote/,
  );
  const nonsense = await scene.command("attach", "nonsense");
  assert.is(nonsense.status, 2);
  assert.match(nonsense.stderr, /"nonsense" is neither PID nor HOST:PORT nor ws:/);
});

attach.run();
