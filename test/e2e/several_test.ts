/** Several targets at once: `kcov` of all, `kcov.d/NAME` of one, KCOV_REMOTE_ENABLE of some. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rounds } from "../rounds.ts";
import { assertExact, assertLearned, type Loop } from "./exact_loop.ts";
import { compile, Scene } from "./harness.ts";
import { COUNTS, DIRECT, FAULTS, type Measure } from "./measures.ts";

const several = suite("several targets");

const NAMES = ["one", "two", "three", "four"];

several.before(() => {
  for (const client of ["exactness", "ask"]) compile(client);
});

const MEASURES: readonly (readonly [string, Measure])[] = [
  ["", COUNTS],
  [", where probes write", DIRECT],
  [", where what probes write comes by faults", FAULTS],
];

/** A sentence about one scene, for each way to measure; the scene is cleaned up however it ends. */
function scenario(
  sentence: string,
  run: (scene: Scene, measure: Measure) => Promise<void>,
  measures = MEASURES,
): void {
  for (const [where, measure] of measures) {
    if (!`${sentence}${where}`.includes(process.argv[2] ?? "")) continue;
    several(`${sentence}${where}`, async () => {
      await using scene = new Scene();
      await run(scene, measure);
    });
  }
}

function fileOf(scene: Scene, name: string): string {
  return join(scene.mount, "kcov.d", name);
}

/** A client that has an instance enabled and asks services for paths. */
class Asker {
  readonly child: ChildProcess;
  readonly #lines: Interface;
  readonly #iterator: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.#lines = createInterface({ input: child.stdout! });
    this.#iterator = this.#lines[Symbol.asyncIterator]();
  }

  /** @param numbers The targets that KCOV_REMOTE_ENABLE picks; without any, KCOV_ENABLE is called. */
  static async start(
    { scene, measure }: { scene: Scene; measure: Measure },
    kcov: string,
    ...numbers: number[]
  ): Promise<Asker> {
    const command = [compile("ask"), kcov, ...numbers.map(String)];
    const asker = new Asker(scene.start(command, { stdin: "pipe", env: measure.env }));
    assert.is(await asker.#next(), "enabled");
    return asker;
  }

  async #next(): Promise<string> {
    const { value, done } = await this.#iterator.next();
    if (done) throw new Error(`The client has ended: ${this.child.exitCode}`);
    return value;
  }

  /** The PCs that services execute for a byte. */
  async ask(byte: number, ...sockets: string[]): Promise<string[]> {
    this.child.stdin!.write(`${[byte, ...sockets].join(" ")}\n`);
    return (await this.#next()).split(" ").filter(Boolean);
  }
}

/** Runs a loop, whose reads are exact, and checks what the client has learned. */
async function learnExactly(scene: Scene, loop: Loop): Promise<void> {
  const learned = join(scene.folder, `learned-${loop.kcov.replaceAll("/", "_")}`);
  await assertExact({ ...loop, learned });
  assertLearned(scene, learned);
}

for (const isBusy of [false, true]) {
  const requests = isBusy ? rounds(30, { long: 100 }) : rounds(100, { long: 400 });
  const when = isBusy ? ", while both cores are busy" : "";
  scenario(
    `four clients on four targets, and a fifth on all, are each exact${when}`,
    async (scene, measure) => {
      await scene.serve(...measure.options);
      const sockets: string[] = [];
      for (const target of [...NAMES, "five"]) {
        sockets.push((await scene.service("paths", { target })).socket);
      }
      if (isBusy) scene.keepBusy();
      const ofOne = NAMES.map((name, i) =>
        learnExactly(scene, { kcov: fileOf(scene, name), socket: sockets[i], requests, measure })
      );
      const ofAll = learnExactly(scene, {
        ...{ kcov: scene.kcov, socket: sockets[4], requests, measure },
        isShared: true,
      });
      await Promise.all([...ofOne, ofAll]);
    },
  );
}

scenario("clients of other targets do not wait for one that is stuck", async (scene, measure) => {
  await scene.serve("--collect-timeout", "60000", ...measure.options);
  const services = [];
  for (const target of NAMES) services.push(await scene.service("paths", { target }));
  const [stuck, ...others] = services;
  const asker = await Asker.start({ scene, measure }, fileOf(scene, NAMES[0]));
  await asker.ask(5, stuck.socket);
  const { pid } = (await scene.targets()).find(({ name }) => name === NAMES[0])!;
  const waiter = await Asker.start({ scene, measure }, scene.kcov);
  process.kill(pid, "SIGSTOP");
  try {
    // No service is asked: the read alone waits for the target.
    let done = "";
    const reads = [asker, waiter].map((client, i) => client.ask(0).then(() => done += `${i} `));
    await Promise.all(
      others.map(({ socket }, i) =>
        assertExact({
          kcov: fileOf(scene, NAMES[i + 1]),
          socket,
          requests: rounds(100, { long: 300 }),
          measure,
        })
      ),
    );
    assert.is(done, "", "they wait for a target that is stopped");
    process.kill(pid, "SIGCONT");
    await Promise.all(reads);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  assert.ok((await asker.ask(5, stuck.socket)).length > 0);
}, MEASURES.filter(([, measure]) => measure !== DIRECT));

scenario("kcov.d has the targets' files, by their names", async (scene, measure) => {
  await scene.serve(...measure.options);
  const folder = join(scene.mount, "kcov.d");
  assert.equal(readdirSync(folder), []);
  const { child } = await scene.service("paths", { target: "one" });
  await scene.service("paths", { target: "one" });
  assert.equal(readdirSync(folder).sort(), ["one", "one-2"]);
  assert.is(statSync(fileOf(scene, "one")).mode & 0o777, 0o600);
  for (const name of ["three", "kcov", ".one"]) {
    assert.throws(() => statSync(fileOf(scene, name)), /ENOENT/);
  }
  const file = await open(fileOf(scene, "one"), "r+");
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
  assert.equal(readdirSync(folder).sort(), ["one", "one-2"], "it is open");
  await file.close();
  // The kernel reports the last close after it has returned.
  while (readdirSync(folder).length > 1) await new Promise((resolve) => setImmediate(resolve));
  await open(fileOf(scene, "one"), "r+").then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, "ENOENT"),
  );
});

/** The names of the files in which blocks are. */
function filesOf(scene: Scene, pcs: readonly string[]): string[] {
  const files = scene.symbolize(pcs).map((line) => line.match(/([^/]+):[^:]*$/)![1]);
  return [...new Set(files)].sort();
}

scenario("KCOV_REMOTE_ENABLE picks targets by number, through any file", async (scene, measure) => {
  await scene.serve(...measure.options);
  const sockets: string[] = [];
  for (const name of ["paths", "classifier", "stuck"]) {
    sockets.push((await scene.service(name)).socket);
  }
  const numbers = (await scene.targets()).map(({ id }) => id);
  assert.equal(numbers, [1, 2, 3]);
  const cases: [string, number[], string[]][] = [
    [scene.kcov, [], ["classifier.cjs", "paths.cjs", "serve.cjs", "stuck.cjs"]],
    [scene.kcov, [2], ["classifier.cjs", "serve.cjs"]],
    [scene.kcov, [3, 1], ["paths.cjs", "serve.cjs", "stuck.cjs"]],
    [fileOf(scene, "paths"), [], ["paths.cjs", "serve.cjs"]],
    [fileOf(scene, "paths"), [2], ["classifier.cjs", "serve.cjs"]],
    [scene.kcov, [77], []],
  ];
  for (const [kcov, picked, files] of cases) {
    const asker = await Asker.start({ scene, measure }, kcov, ...picked);
    assert.equal(filesOf(scene, await asker.ask(0, ...sockets)), files, `${kcov} ${picked}`);
    asker.child.stdin!.end();
    await once(asker.child, "exit");
  }
});

scenario(
  "globs of a target's own hold for it alone, besides the server's",
  async (scene, measure) => {
    await scene.serve("--exclude", "**/stuck.cjs", ...measure.options);
    const sockets: string[] = [];
    const globs = {
      free: [],
      narrow: ["--include", "**/paths.cjs"],
      wide: ["--exclude", "**/paths.cjs", "--include", "**/*.cjs"],
    };
    for (const [target, own] of Object.entries(globs)) {
      sockets.push((await scene.service("paths", { target, globs: own })).socket);
    }
    sockets.push((await scene.service("stuck", { target: "none", globs: globs.wide })).socket);
    const files = {
      free: ["paths.cjs", "serve.cjs"],
      narrow: ["paths.cjs"],
      wide: ["serve.cjs"],
      none: ["serve.cjs"],
    };
    for (const [target, expected] of Object.entries(files)) {
      const asker = await Asker.start({ scene, measure }, fileOf(scene, target));
      assert.equal(filesOf(scene, await asker.ask(0, ...sockets)), expected, target);
    }
  },
);

scenario("a target that comes back under its name goes on as it was", async (scene, measure) => {
  await scene.serve(...measure.options);
  const first = await scene.service("paths", { target: "api" });
  const other = await scene.service("paths", { target: "other" });
  const asker = await Asker.start({ scene, measure }, fileOf(scene, "api"));
  const all = await Asker.start({ scene, measure }, scene.kcov, 1);
  const paths = async (client: Asker, socket: string) => {
    // Code that runs for the first time is compiled, and may run a little more.
    await client.ask(3, socket, other.socket);
    const found: string[][] = [];
    for (const path of [3, 14, 15]) found.push(await client.ask(path, socket, other.socket));
    return found;
  };
  const before = await paths(asker, first.socket);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const { pid } = (await scene.targets()).find((row) =>
      row.name === "api" && row.state !== "ended"
    )!;
    process.kill(pid, signal);
    while ((await scene.targets()).some((row) => row.pid === pid && row.state !== "ended"));
    assert.equal(await asker.ask(9, other.socket), [], "there is nobody");
    const again = await scene.service("paths", { target: "api" });
    const row = (await scene.targets()).find((row) => row.name === "api" && row.state !== "ended");
    assert.is(row?.id, 1);
    assert.equal(await paths(asker, again.socket), before, `through the open file, ${signal}`);
    assert.equal(await paths(all, again.socket), before, "by number");
  }
});

several.run();
