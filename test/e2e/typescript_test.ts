/**
 * A service in TypeScript under Deno, which compiles it, and under Node 24, which strips its types: the same
 * request reports the same places of the source, each time.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, NODES, Scene, SERVICES, WITH_DENO } from "./harness.ts";
import { PATIENT } from "./measures.ts";

const typescript = suite("typescript");

const FILE = join(SERVICES, "../typescript/formulas.ts");
const SERVE = join(SERVICES, "serve.cjs");
const ROUNDS = 10;

async function until(
  condition: () => boolean,
  child: ChildProcess,
): Promise<void> {
  while (!condition()) {
    assert.is(child.exitCode, null, "the service has ended");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Starts the service as a target; resolves with its socket. */
type Start = (scene: Scene) => Promise<string>;

const startUnderNode: Start = async (scene) => {
  const { socket } = await scene.service("../typescript/formulas", {
    node: NODES["Node 24"],
  });
  return socket;
};

const startUnderDeno: Start = async (scene) => {
  const socket = join(scene.folder, "deno-socket");
  const deno = ["deno", "run", "-A", "--no-check"];
  const program = [SERVE, "../typescript/formulas", socket];
  const child = scene.start([...scene.run("formulas"), ...deno, ...program], {
    env: { ...WITH_DENO, NO_COLOR: "1" },
  });
  await until(() => existsSync(socket), child);
  return socket;
};

/** By input: the places in the service's source that it executes, sorted. */
async function placesUnder(start: Start): Promise<string[][]> {
  await using scene = new Scene();
  const server = await scene.serve(...PATIENT);
  const inputs = join(scene.folder, "inputs");
  const generated = await execute([
    process.execPath,
    join(SERVICES, "inputs.cjs"),
    "formulas",
    inputs,
  ]);
  assert.is(generated.status, 0, generated.stderr);
  const socket = await start(scene);
  const sets = join(scene.folder, "sets");
  const { status, stdout, stderr } = await execute(
    [compile("stability"), scene.kcov, socket, inputs, String(ROUNDS), sets],
    { timeout: 300_000 },
  );
  process.stdout.write(stdout);
  assert.is(server.warnings(), "");
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /^stable 100 of 100 /);
  assert.is(server.warnings(), "");
  const pcs = readFileSync(sets, "utf8").trimEnd().split("\n").map((line) =>
    line.split(" ").slice(2)
  );
  const lines = scene.symbolize(pcs.flat());
  return pcs.map((set) => {
    const places = lines.splice(0, set.length).filter((line) => line.startsWith(`${FILE}:`));
    return [...new Set(places)].sort();
  });
}

typescript.before(() => {
  compile("stability");
});

typescript(
  "the same requests execute the same places under Deno and under Node 24",
  async () => {
    const underNode = await placesUnder(startUnderNode);
    const underDeno = await placesUnder(startUnderDeno);
    const distinct = new Set(underNode.map((places) => places.join()));
    assert.ok(distinct.size > 30, `${distinct.size} different inputs`);
    for (const [input, places] of underNode.entries()) {
      assert.ok(places.length > 10, `input ${input}: ${places.length} places`);
      assert.equal(underDeno[input], places, `input ${input}`);
    }
  },
);

typescript.run();
