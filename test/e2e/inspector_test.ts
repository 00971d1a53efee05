/** Targets that are reached by their inspector: Deno, and Nodes without the agent. */
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TargetRow } from "../../src/messages/requests.ts";
import { FRAME, packFrame } from "../../src/messages/protocol.ts";
import { rounds } from "../rounds.ts";
import { assertExact } from "./exact_loop.ts";
import { compile, DENO, execute, finish, NODES, Scene, SERVICES, WITH_DENO } from "./harness.ts";
import { executedTexts, textsInPaths } from "./path_blocks.ts";

const inspector = suite("inspectors");

/** Takes the path of a number and ends, in the way of its first argument. */
const ONCE = fileURLToPath(new URL("../../../test/e2e/once.cjs", import.meta.url));

/** The first match of a pattern in a stream. */
function said(stream: NodeJS.ReadableStream, pattern: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    stream.on("data", (chunk) => {
      text += chunk;
      const match = text.match(pattern);
      if (match) resolve(match[0]);
    });
  });
}

/** Attaches to a service that waits for a debugger; resolves when it serves. */
async function attached(scene: Scene, command: readonly string[]): Promise<string> {
  const socket = join(scene.folder, "service");
  const child = scene.start([...command, join(SERVICES, "serve.cjs"), "paths", socket]);
  const ready = said(child.stdout!, /ready/);
  const url = await said(child.stderr!, /ws:\S+/);
  const { status, stderr } = await scene.command("attach", url);
  assert.is(status, 0, stderr);
  await ready;
  return socket;
}

/** A Deno service that `kcovfs run` has started. */
async function started(scene: Scene): Promise<string> {
  const socket = join(scene.folder, "service");
  const program = ["deno", "run", "-A", join(SERVICES, "serve.cjs"), "paths", socket];
  const child = scene.start([...scene.run("paths"), ...program], { env: WITH_DENO });
  await said(child.stdout!, /ready/);
  return socket;
}

/** The row of the only target in `ps`. */
async function row(scene: Scene): Promise<TargetRow> {
  return (await scene.targets())[0];
}

const ATTACHED: Record<string, string[]> = {
  "Deno": [DENO, "run", "-A", "--v8-flags=--max-opt=1", "--inspect-wait=127.0.0.1:0"],
};
for (const [name, node] of Object.entries(NODES)) {
  ATTACHED[name] = [node, "--inspect-brk=127.0.0.1:0"];
}

for (const [name, command] of Object.entries(ATTACHED)) {
  inspector(
    `requests to ${name} by its inspector are read without a mistake, idle and busy`,
    async () => {
      await using scene = new Scene();
      await scene.serve();
      const socket = await attached(scene, command);
      await assertExact({ kcov: scene.kcov, socket, requests: rounds(250, { long: 1000 }) });
      scene.keepBusy();
      await assertExact({ kcov: scene.kcov, socket, requests: rounds(80, { long: 300 }) });
      const { link, hold, note } = await row(scene);
      assert.equal([link, hold], ["inspector", "pause"]);
      assert.not.match(String(note), "start it with");
    },
  );
}

inspector("a Deno whose flags let it optimise is said to lack blocks", async () => {
  await using scene = new Scene();
  await scene.serve();
  await attached(scene, [DENO, "run", "-A", "--inspect-wait=127.0.0.1:0"]);
  assert.match(String((await row(scene)).note), "start it with --v8-flags=--max-opt=1");
});

inspector(
  "requests to a Deno by kcovfs run are read without a mistake, idle and busy",
  async () => {
    await using scene = new Scene();
    await scene.serve();
    const socket = await started(scene);
    await assertExact({ kcov: scene.kcov, socket, requests: rounds(250, { long: 1000 }) });
    scene.keepBusy();
    await assertExact({ kcov: scene.kcov, socket, requests: rounds(80, { long: 500 }) });
  },
);

inspector("what a Deno executes that lives for one request is read, however it ends", async () => {
  await using scene = new Scene();
  await scene.serve();
  const clients = [compile("short_lived"), scene.kcov, "2", "1"];
  for (const how of ["returns", "exits", "sets_exit_code"]) {
    const program = ["deno", "run", "-A", ONCE, how];
    const command = [...scene.run("once"), ...clients, ...program];
    const { status, stdout, stderr } = await execute(command, { env: WITH_DENO });
    assert.is(status, 0, stderr);
    for (const [path, line] of stdout.trim().split("\n").entries()) {
      const [number, exit, , ...pcs] = line.split(" ");
      assert.equal([number, exit], [String(path), how === "returns" ? "0" : String(path)], line);
      assert.equal(textsInPaths(scene.symbolize(pcs)), executedTexts(path), how);
    }
  }
});

inspector("the top level of a Deno program, and of what it imports, has its blocks", async () => {
  await using scene = new Scene();
  await scene.serve();
  const write = (name: string, text: string) => writeFileSync(join(scene.folder, name), text);
  const branch = (name: string) =>
    `let ${name}: number = Deno.args.length;\nif (${name} > 1) {\n  ${name} = 1;\n} else {\n  ${name} = 2;\n}\n`;
  write("imported.ts", `${branch("first")}export default first;\n`);
  write(
    "main.ts",
    `import imported from "./imported.ts";\n${branch("second")}console.log(imported);\n`,
  );
  const program = ["deno", "run", "-A", join(scene.folder, "main.ts")];
  const client = [compile("short_lived"), scene.kcov, "1", "1"];
  const { stdout, stderr } = await execute([...scene.run("main"), ...client, ...program], {
    env: WITH_DENO,
  });
  const pcs = stdout.trim().split("\n").at(-1)!.split(" ").filter((word) => /^0x/.test(word));
  const lines = scene.symbolize(pcs);
  const places = lines.map((line) => line.match(/\w+\.ts:\d+/)?.[0] ?? line);
  assert.equal([...new Set(places)].sort(), [
    ...["imported.ts:1", "imported.ts:4", "imported.ts:6"],
    ...["main.ts:1", "main.ts:5", "main.ts:7"],
  ], stderr);
});

inspector("a Deno is a target that a launcher starts, as npm's or another", async () => {
  await using scene = new Scene();
  await scene.serve();
  const file = join(scene.folder, "hello.ts");
  writeFileSync(file, 'setTimeout(() => console.log("hello"), 500);\n');
  const bin = join(scene.folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "deno"), `#!/bin/sh\n${DENO} "$@"\nexit $?\n`, { mode: 0o755 });
  // npm's own folder has a `node`, too, the oldest Node there is.
  const npm = join(scene.folder, "npm");
  mkdirSync(npm);
  symlinkSync(realpathSync(join(DENO, "../../.bin/deno")), join(npm, "deno"));
  for (const folder of [bin, npm]) {
    const env = { PATH: `${folder}:${process.env["PATH"]}` };
    const command = [...scene.run("hello"), "deno", "run", file];
    const { status, stdout, stderr } = await execute(command, { env, timeout: 60_000 });
    assert.equal([status, stdout], [0, "hello\n"], stderr);
    const { runtime, link, note } = await row(scene);
    assert.equal([link, note], ["inspector", "exited"], String(runtime));
  }
});

inspector("without a server a Deno runs all the same, and one line says so", async () => {
  await using scene = new Scene();
  const file = join(scene.folder, "hello.ts");
  writeFileSync(file, 'console.log("hello");\n');
  const child = scene.start(["deno", "run", file], {
    env: {
      PATH: `${join(SERVICES, "../../../shims")}:${WITH_DENO.PATH}`,
      KCOVFS_SOCKET: join(scene.folder, "nothing"),
      KCOVFS_NODE: process.execPath,
    },
  });
  const { status, stdout, stderr } = await finish(child);
  assert.equal([status, stdout], [0, "hello\n"]);
  assert.match(stderr, /^kcovfs: no server answers at .*: running without coverage\n$/);
});

inspector("a Deno whose server goes while it starts it runs all the same", async () => {
  await using scene = new Scene();
  const file = join(scene.folder, "hello.ts");
  writeFileSync(file, 'console.log("hello");\n');
  const socket = join(scene.folder, "socket");
  // It answers the first requests, and hangs up when it is asked to attach.
  const server = createServer((connection) => {
    connection.on("data", (request) => {
      if (request.includes('"attach"')) connection.destroy();
      else connection.write(packFrame(FRAME.response, Buffer.from('{"result":{}}')));
    });
  }).listen(socket);
  try {
    const child = scene.start(["deno", "run", file], {
      env: {
        PATH: `${join(SERVICES, "../../../shims")}:${WITH_DENO.PATH}`,
        KCOVFS_SOCKET: socket,
        KCOVFS_NODE: process.execPath,
      },
    });
    const { status, stdout, stderr } = await finish(child);
    assert.equal([status, stdout], [0, "hello\n"], stderr);
    assert.match(stderr, "running without coverage");
  } finally {
    server.close();
  }
});

/** The service's answer to a request of one byte. */
async function ask(socket: string, byte: number): Promise<number> {
  const connection = connect(socket);
  connection.write(Uint8Array.of(1, 0, 0, 0, byte));
  const answer: Buffer = await new Promise((resolve) => connection.once("data", resolve));
  connection.destroy();
  return answer.readUInt32LE(0);
}

inspector(
  "a Deno whose server is killed while it is held and let go all the time goes on",
  async () => {
    await using scene = new Scene();
    const server = await scene.serve();
    const socket = await started(scene);
    const client = scene.start([compile("exactness"), scene.kcov, socket, "1000000"]);
    await assertExact({ kcov: scene.kcov, socket, requests: 20, isShared: true });
    server.kill("SIGKILL");
    await finish(client);
    for (const byte of [5, 6, 7]) assert.is(await ask(socket, byte), byte);
    await scene.unmounted();
  },
);

inspector.before(() => {
  for (const client of ["exactness", "short_lived"]) compile(client);
});

inspector.run();
