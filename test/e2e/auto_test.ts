/** A server with the default collector: targets with probes and without, at the same time. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assertExact } from "./exact_loop.ts";
import { compile, execute, type Finished, KCOVFS, Scene } from "./harness.ts";
import { COUNTS, DIRECT, FAULTS } from "./measures.ts";
import { isolate } from "../hostile/isolated.ts";

// All inspectors that a signal opens listen at the same port.
isolate();

const auto = suite("auto");

const AUTO = ["--collector", "auto"];

auto.before(() => {
  for (const name of ["exactness", "watched"]) compile(name);
});

function assertDone({ status, stderr }: Finished): void {
  assert.equal([status, stderr], [0, ""]);
}

/** The rows of `ps`, by name. */
async function rowsOf(scene: Scene): Promise<Record<string, Record<string, unknown>>> {
  const { stdout } = await scene.command("ps", "--json");
  return Object.fromEntries(
    (JSON.parse(stdout) as Record<string, unknown>[]).map((row) => [row["name"], row]),
  );
}

/** A server, a target with probes, and one that V8 counts because it ran before. */
async function startBoth(scene: Scene) {
  await scene.serve(...AUTO);
  const probed = await scene.service("paths", { target: "probed" });
  const counted = await scene.service("paths", { isPlain: true });
  assertDone(await scene.command("attach", String(counted.pid), "--name", "counted"));
  return { probed, counted };
}

auto("what starts as a target has probes, which write into what clients map", async () => {
  await using scene = new Scene();
  const server = await scene.serve(...AUTO);
  const { socket } = await scene.service("paths", { target: "probed" });
  await assertExact({ kcov: scene.kcov, socket, requests: 1000, measure: DIRECT });
  const { probed } = await rowsOf(scene);
  assert.equal([probed["collector"], probed["hold"]], ["trace", "unneeded"]);
  assert.is(server.warnings(), "");
});

auto("with one that V8 counts beside it, both are read exactly", async () => {
  await using scene = new Scene();
  const { probed, counted } = await startBoth(scene);
  const rows = await rowsOf(scene);
  assert.equal([rows["probed"]["collector"], rows["counted"]["collector"]], ["trace", "v8"]);
  const { kcov } = scene;
  for (let turn = 0; turn < 3; turn++) {
    // With faults, as counted targets need it: probes still report each hit, and comparisons.
    await assertExact({ kcov, socket: probed.socket, requests: 300, measure: FAULTS });
    await assertExact({ kcov, socket: counted.socket, requests: 300, measure: COUNTS });
  }
});

auto("both at once, by clients of their own, and by a file of the probed one alone", async () => {
  await using scene = new Scene();
  const { probed, counted } = await startBoth(scene);
  const own = (name: string) => `${scene.mount}/kcov.d/${name}`;
  const requests = 300;
  await Promise.all([
    assertExact({ kcov: own("counted"), socket: counted.socket, requests, measure: COUNTS }),
    assertExact({ kcov: own("probed"), socket: probed.socket, requests, measure: DIRECT }),
  ]);
  const { hold } = (await rowsOf(scene))["probed"];
  assert.is(hold, "unneeded", "the probed one is not held for the other");
});

auto("an instance that is open when a counted target comes is told to be blind to it", async () => {
  await using scene = new Scene();
  const server = await scene.serve(...AUTO);
  const probed = await scene.service("paths", { target: "probed" });
  const client = scene.start([compile("watched"), scene.kcov, probed.socket, "512", "1"], {
    stdin: "pipe",
  });
  await new Promise((resolve) => client.stdout!.once("data", resolve));
  const counted = await scene.service("paths", { isPlain: true });
  assertDone(await scene.command("attach", String(counted.pid), "--name", "counted"));
  const said = "1 open instance does not see it";
  assert.match(server.warnings(), said);
  assert.match(String((await rowsOf(scene))["counted"]["note"]), "1 instance does not see it");
  const [requests, kcov] = [200, scene.kcov];
  await assertExact({ kcov, socket: counted.socket, requests, measure: COUNTS });
  client.stdin!.end();
  await new Promise((resolve) => client.once("close", resolve));
  assert.is((await rowsOf(scene))["counted"]["note"], "");
  assertDone(await scene.command("detach", "counted"));
  await assertExact({ kcov, socket: probed.socket, requests, measure: DIRECT });
});

auto("worker threads with probes are held, and exact, when a counted target is there", async () => {
  await using scene = new Scene();
  await scene.serve(...AUTO);
  const { socket } = await scene.service("paths", { target: "probed", place: "worker" });
  const counted = await scene.service("paths", { isPlain: true });
  assertDone(await scene.command("attach", String(counted.pid), "--name", "counted"));
  await assertExact({ kcov: scene.kcov, socket, requests: 300, measure: FAULTS });
});

auto("without passthrough all come by faults", async () => {
  await using scene = new Scene();
  await scene.serve(...AUTO, "--no-passthrough");
  const probed = await scene.service("paths", { target: "probed" });
  await assertExact({ kcov: scene.kcov, socket: probed.socket, requests: 200, measure: FAULTS });
  const counted = await scene.service("paths", { isPlain: true });
  assertDone(await scene.command("attach", String(counted.pid), "--name", "counted"));
  await assertExact({ kcov: scene.kcov, socket: counted.socket, requests: 200, measure: COUNTS });
});

const WAYS: readonly (readonly [options: readonly string[], line: string])[] = [
  [[], "probes, written straight into the client's memory"],
  [["--no-passthrough"], "probes, collected when the client reads"],
  [["--hold", "none"], "V8's block counters, collected when the client reads"],
  [["--collector", "v8"], "V8's block counters, collected when the client reads"],
];

for (const [options, line] of WAYS) {
  auto(`'fuzz ${options.join(" ")}' says on a line that it takes ${line}`, async () => {
    await using scene = new Scene();
    const { stderr, status } = await execute(
      [KCOVFS, "fuzz", "--state", scene.state, ...options, "--", "node", "-e", "1"],
    );
    assert.is(status, 0, stderr);
    assert.is(
      stderr.split("\n").filter((said) => said.startsWith(`kcovfs: ${line}`)).length,
      1,
      stderr,
    );
  });
}

auto.run();
