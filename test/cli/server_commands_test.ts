/** Commands that talk to a server. */
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, finish, KCOVFS, NODES, Scene, SERVICES } from "../e2e/harness.ts";
import { DIRECT } from "../e2e/measures.ts";

const commands = suite<{ scene: Scene; socket: string }>("cli, with a server");

commands.before(async (context) => {
  context.scene = new Scene();
  await context.scene.serve("--exclude", "**/excluded.cjs");
  context.socket = (await context.scene.service("paths")).socket;
  const learned = await execute(
    [compile("exactness"), context.scene.kcov, context.socket, "50"],
  );
  assert.is(learned.status, 0, learned.stderr);
});

commands.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

commands("'ps' shows the targets, as a table and as JSON", async ({ scene }) => {
  const table = await scene.command("ps");
  const [head, row] = table.stdout.split("\n");
  assert.match(head, /^ID +NAME +PID +RUNTIME +LINK +COLLECTOR +HOLD +SCRIPTS +BLOCKS +STATE$/);
  assert.match(row, /^1 +paths +\d+ +node v20\S+ +agent +v8 +gate +2 +252 +running$/);
  const [target] = JSON.parse((await scene.command("ps", "--all", "--json")).stdout);
  const { name, link, state, scripts, note } = target;
  assert.equal([name, link, state, scripts, note], ["paths", "agent", "running", 2, ""]);
  const file = await execute(["cat", join(scene.mount, "kcovfs/targets")]);
  assert.is(file.stdout, table.stdout);
});

commands("'ps' shows those that have ended to who asks, after the others, and how", async () => {
  await using scene = new Scene();
  await scene.serve();
  const killed = await scene.service("paths", { target: "killed" });
  const ended = new Promise((resolve) => killed.child.once("exit", resolve));
  const [{ pid }] = JSON.parse((await scene.command("ps", "--json")).stdout);
  process.kill(pid, "SIGKILL");
  await ended;
  await scene.command("run", "--", process.execPath, "-e", "");
  const nobody = await scene.command("ps");
  assert.match(nobody.stdout, /^ID[^\n]*\n$/);
  assert.match(nobody.stderr, /^kcovfs: 2 targets have ended; see 'kcovfs ps --all'\n$/);
  await scene.service("paths", { target: "alive" });
  const alive = await scene.command("ps");
  assert.equal(alive.stdout.match(/alive|killed|node -/g), ["alive"]);
  assert.is(alive.stderr, "");
  const states = (await scene.command("ps", "--all")).stdout.trimEnd().split("\n").slice(1)
    .map((line) => line.replace(/^\d+ +(\S+) .* {2}(\w+.*)$/, "$1: $2"));
  assert.equal(states, [
    "alive: running",
    "killed: ended (killed by SIGKILL)",
    "node: ended (exited)",
  ]);
});

commands("'symbolize -all' lists every block, whole into a pipe too", async ({ scene }) => {
  const { stdout } = await scene.command("symbolize", "-all");
  const file = await execute(["cat", join(scene.mount, "kcovfs/symbols")]);
  assert.is(file.stdout, stdout);
  const lines = stdout.trimEnd().split("\n");
  assert.is(lines.length, 504);
  lines.forEach((line, i) =>
    assert.match(line, i % 2 === 0 ? /^0xffffffff[0-9a-f]{8}$/ : /^\/.*\.cjs:\d+\.\d+,\d+\.\d+$/)
  );
  const counted = await execute(
    ["sh", "-c", '"$0" symbolize -all | { sleep 0.2; cat; }', KCOVFS],
    { env: { KCOVFS_MOUNT: scene.mount } },
  );
  assert.is(counted.stdout, stdout);
});

commands(
  "'symbolize' takes PCs from its arguments or its input, in any spelling",
  async ({ scene }) => {
    const { stdout } = await scene.command("symbolize", "-all");
    const [pc, position] = stdout.split("\n");
    const bare = pc.replace("0x", "").toUpperCase();
    const line = `${pc} ${position} (top level)\n`;
    assert.is((await scene.command("symbolize", pc, bare)).stdout, line.repeat(2));
    const piped = await execute([KCOVFS, "symbolize", "--mount", scene.mount], {
      input: `${pc} ${bare}\n\n0x12\n`,
    });
    assert.equal([piped.stdout, piped.status], [line.repeat(2) + "0x12 ?\n", 1]);
    const runsc = await scene.command("symbolize", "--runsc", pc, "0x12");
    assert.equal([runsc.stdout, runsc.status], [`${pc}\n${position}\n0x12\n?\n`, 1]);
    const wrong = await scene.command("symbolize", "main+0x12");
    assert.is(wrong.status, 1);
    assert.match(wrong.stderr, /Cannot symbolize "main\+0x12": a PC is a number in hex/);
  },
);

commands("'symbolize' tells functions and lines of code", async ({ scene }) => {
  const { stdout } = await scene.command("symbolize", "-all");
  const source = readFileSync(join(SERVICES, "paths.cjs"), "utf8").split("\n");
  const at = 1 + source.findIndex((line) => line.startsWith("function path02("));
  const [, pc] = new RegExp(`(0x\\w+)\n.*paths\\.cjs:${at}\\.`).exec(stdout)!;
  const found = await scene.command("symbolize", "--source", pc);
  const [line, code] = found.stdout.split("\n");
  assert.match(line, /paths\.cjs:\d+\.1,\d+\.\d+ path02$/);
  assert.is(code, `    ${source[at - 1]}`);
  // Tools that take the PC for the address after a call, on amd64 and arm64, print these.
  for (const length of [5n, 4n]) {
    const before = `0x${(BigInt(pc) - length).toString(16)}`;
    const after = await scene.command("symbolize", "--after-call", before);
    assert.equal([after.stdout, after.status], [`${line}\n`, 0]);
    assert.is((await scene.command("symbolize", before)).status, 1);
  }
});

commands("'run' hands on arguments, streams, exit status and signals", async ({ scene }) => {
  const run = (...command: string[]) => scene.command("run", "--", ...command);
  assert.equal(await run("sh", "-c", 'echo "$@"; echo two >&2; exit 7', "sh", "a b", "--help"), {
    status: 7,
    signal: null,
    stdout: "a b --help\n",
    stderr: "two\n",
  });
  assert.is((await run("sh", "-c", "kill -TERM $$")).status, 143);
  assert.is((await run("no-such-command")).status, 127);
});

commands(
  "a target keeps its own NODE_OPTIONS, and its children are targets named after it",
  async ({ scene }) => {
    const folder = join(scene.folder, 'a b\\"c');
    mkdirSync(folder);
    writeFileSync(join(folder, "first.cjs"), "globalThis.first = 1;");
    const script =
      'require("child_process").spawnSync(process.execPath, ["-e", "process.title"], {stdio: "inherit"}); process.stdout.write(String(first))';
    const { stdout, stderr, status } = await execute(
      [
        KCOVFS,
        "run",
        "--mount",
        scene.mount,
        "--name",
        "outer",
        "--",
        process.execPath,
        "-e",
        script,
      ],
      {
        env: { NODE_OPTIONS: `--require="${join(folder, "first.cjs").replace(/["\\]/g, "\\$&")}"` },
      },
    );
    assert.equal([status, stdout, stderr], [0, "1", ""]);
    const rows = JSON.parse((await scene.command("ps", "--all", "--json")).stdout) as {
      name: string;
    }[];
    assert.equal(rows.slice(-2).map(({ name }) => name), ["outer", "outer.node"]);
  },
);

commands("scripts that are excluded have no blocks", async ({ scene }) => {
  const file = join(scene.folder, "excluded.cjs");
  writeFileSync(file, "if (process.argv[2]) process.exit(1);");
  assert.is((await scene.command("run", "--", process.execPath, file)).status, 0);
  assert.not.match((await scene.command("symbolize", "-all")).stdout, /excluded/);
});

commands(
  "a second server is told apart, and a mount point in use is refused",
  async ({ scene }) => {
    await using other = new Scene();
    await other.serve();
    const found = await execute([KCOVFS, "ps"], { env: { KCOVFS_MOUNT: "" } });
    assert.is(found.status, 1);
    assert.match(
      found.stderr,
      /Cannot choose a server: \d+ are mounted \(.*\); say which with --mount\n$/,
    );
    const again = await execute([KCOVFS, "mount", scene.mount]);
    assert.is(again.status, 1);
    assert.match(again.stderr, /is mounted there already; run 'kcovfs unmount .*'\n$/);
  },
);

commands("'fuzz' has kcov where the kernel has it, for its command alone", async ({ scene }) => {
  const client = compile("exactness");
  for (const [name, node] of Object.entries(NODES)) {
    const service = join(scene.folder, `fuzzed ${name}`);
    const script = `
      set -e
      : >"$2.log"
      "$1" ${join(SERVICES, "serve.cjs")} paths "$2" >"$2.log" &
      trap "kill $!" EXIT
      while ! grep -q ready "$2.log"; do sleep 0.05; done
      "$0" /sys/kernel/debug/kcov "$2" 200
      kcovfs ps | grep -c " agent "`;
    const found = await execute(
      [KCOVFS, "fuzz", "--state", scene.state, "--", "sh", "-c", script, client, node, service],
      { env: DIRECT.env },
    );
    assert.match(found.stdout, /^requests 200 wrong 0 .*\n1\n$/, `${name}: ${found.stderr}`);
    assert.is(found.stderr, "kcovfs: probes, written straight into the client's memory\n");
  }
  const outside = readFileSync("/proc/self/mountinfo", "utf8");
  assert.not.match(outside, / \/sys\/kernel\/debug .*fuse\.kcovfs/);
});

commands("'fuzz' ends with its command's status, however it ends", async ({ scene }) => {
  const fuzz = (...command: string[]) =>
    execute([KCOVFS, "fuzz", "--state", scene.state, "--", ...command]);
  assert.is((await fuzz("sh", "-c", "exit 9")).status, 9);
  assert.is((await fuzz("sh", "-c", "kill -KILL $$")).status, 137);
  assert.is((await fuzz("no-such-command")).status, 127);
});

commands("with '--self' the server is the kernel under test", async () => {
  await using scene = new Scene();
  await scene.serve("--collector", "auto", "--self", "--include", "**/dist/src/kcov/**");
  const { status, stdout, stderr } = await execute([compile("poller"), scene.kcov, "0.5"]);
  assert.is(status, 0, stderr);
  const blocks = scene.symbolize(stdout.match(/0x[0-9a-f]+/g) ?? []);
  assert.ok(blocks.some((block) => /dist\/src\/kcov\/device\.js:/.test(block)), stdout);
  assert.ok(blocks.every((block) => block.includes("/dist/src/kcov/")), "only what was included");
  const [target] = JSON.parse((await scene.command("ps", "--all", "--json")).stdout);
  assert.equal([target.name, target.link, target.hold], ["kcovfs", "self", "unheld"]);
});

commands("SIGTERM unmounts, and 'unmount' ends the server, in use or not", async () => {
  for (const how of ["SIGTERM", "SIGINT", "unmount", "busy"] as const) {
    await using scene = new Scene();
    const server = await scene.serve();
    if (how === "busy") {
      const client = scene.start([compile("poller"), scene.kcov, "30"]);
      await once(client.stdout!, "data");
    }
    if (how === "SIGTERM" || how === "SIGINT") server.kill(how);
    else {
      const { status, stderr } = await scene.command("unmount", scene.mount);
      assert.is(status, 0, stderr);
    }
    assert.is((await finish(server, 20_000)).status, 0, how);
    assert.not.match(readFileSync("/proc/self/mountinfo", "utf8"), new RegExp(scene.mount));
  }
});

commands.run();
