/** `kcovfs report` on targets, with and without clients that trace them. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rounds } from "../rounds.ts";
import { Chromium } from "./chromium.ts";
import { assertExact } from "./exact_loop.ts";
import { execute, finish, KCOVFS, NODES, Scene, WITH_DENO } from "./harness.ts";
import { COUNTS, DIRECT, FAULTS, type Measure } from "./measures.ts";

const report = suite("report");

const PROGRAM = `function sign(n) {
  if (n < 0) {
    return "negative";
  }
  return n > 0 ? "positive" : "zero";
}
for (const argument of process.argv.slice(2)) sign(Number(argument));
`;

/** In a browser: the colours of three lines, once these exist. */
const LOOK = `(() => {
  const cells = [...document.querySelectorAll(".line-coverage span")];
  const at = (line) => getComputedStyle(cells[line - 1]).backgroundColor;
  return document.readyState === "complete" && cells.length > 0 && [at(2), at(3), at(5)];
})()`;

interface Row {
  readonly path: string;
  readonly statementMap: Record<string, { readonly start: { readonly line: number } }>;
  readonly s: Record<string, number>;
}

/** Makes a program, and the function that runs it as a target. */
function makeProgram(scene: Scene, { node = process.execPath, file = "program.cjs", name = "p" }) {
  const path = join(scene.folder, file);
  writeFileSync(path, PROGRAM);
  const run = async (...args: string[]) => {
    const { status, stderr } = await scene.command(
      "run",
      "--name",
      name,
      "--",
      node,
      path,
      ...args,
    );
    assert.equal([status, stderr], [0, ""]);
  };
  return { path, run };
}

/** The lines of a file that were not covered; undefined where the report does not have the file. */
async function uncoveredLines(
  scene: Scene,
  path: string,
  ...options: string[]
): Promise<number[] | undefined> {
  const out = join(scene.folder, "json");
  const { status, stderr } = await scene.command(
    ...["report", "--format", "json", "--out", out, ...options],
  );
  assert.equal([status, stderr], [0, ""]);
  const rows: Record<string, Row> = JSON.parse(
    readFileSync(join(out, "coverage-final.json"), "utf8"),
  );
  const row = Object.values(rows).find((row) => row.path === path);
  return row && Object.keys(row.s).filter((key) => row.s[key] === 0)
    .map((key) => row.statementMap[key].start.line);
}

const MEASURES: readonly (readonly [how: string, measure: Measure])[] = [
  ["that V8 counts in", COUNTS],
  ["with probes, read by faults,", FAULTS],
  ["with probes that write to clients", DIRECT],
];

for (const [name, node] of Object.entries(NODES)) {
  for (const [how, measure] of name === "Node 24" ? MEASURES : MEASURES.slice(0, 1)) {
    report(
      `a program of ${name} ${how} is reported when it has ended, without any client`,
      async () => {
        await using scene = new Scene();
        await scene.serve(...measure.options);
        const { path, run } = makeProgram(scene, { node });
        await run();
        assert.equal(await uncoveredLines(scene, path), [2, 3, 5, 7]);
        await run("5");
        assert.equal(await uncoveredLines(scene, path, "--reset"), [3]);
        assert.equal(await uncoveredLines(scene, path, "--since", "reset"), [2, 3, 5, 7, 7]);
        await run("-5");
        assert.equal(await uncoveredLines(scene, path, "--since", "reset"), [5]);
        assert.equal(await uncoveredLines(scene, path), []);
      },
    );
  }
}

for (const [how, measure] of MEASURES) {
  report(`reports of a service ${how} take nothing from a client that reads it`, async () => {
    await using scene = new Scene();
    await scene.serve(...measure.options);
    const { socket } = await scene.service("paths");
    let isDone = false;
    const client = assertExact({
      kcov: scene.kcov,
      socket,
      requests: rounds(200, { long: 1000 }),
      measure,
    })
      .finally(() => isDone = true);
    let reports = 0;
    for (; !isDone || reports === 0; reports++) {
      const { status, stderr } = await scene.command("report", "--format", "summary", "--reset");
      assert.ok(status === 0 || /nothing has executed yet/.test(stderr), stderr);
    }
    await client;
  });
}

report("TypeScript that Deno compiles is told of as it was written, enums too", async () => {
  await using scene = new Scene();
  await scene.serve();
  const file = join(scene.folder, "program.ts");
  writeFileSync(
    file,
    `enum Color { Red = 1, Green }
class Box { constructor(private readonly x: number) {} get() { return this.x; } }
function pick(x: Color): number { if (x > 1) { return 2; } else { return 1; } }
console.log(pick(Color.Green), new Box(3).get());
`,
  );
  const run = [
    KCOVFS,
    "run",
    "--mount",
    scene.mount,
    "--",
    "deno",
    "run",
    "-A",
    "--no-check",
    file,
  ];
  assert.is((await execute(run, { env: WITH_DENO })).stdout, "2 3\n");
  const { stdout } = await scene.command("report");
  const [statements, branches, functions] = stdout.match(/program\.ts.*/)![0].split("|")
    .slice(1).map(Number);
  assert.ok(statements > 50 && branches > 50 && functions === 100, stdout);
});

report("a target of its own name is reported on alone, or each for itself", async () => {
  await using scene = new Scene();
  await scene.serve();
  const { path, run } = makeProgram(scene, { name: "plus" });
  await run("5");
  await makeProgram(scene, { name: "minus" }).run("-5");
  assert.equal(await uncoveredLines(scene, path), []);
  assert.equal(await uncoveredLines(scene, path, "--target", "plus"), [3]);
  assert.equal(await uncoveredLines(scene, path, "--target", "minus"), [5]);
  const { stdout } = await scene.command("report", "--by-target");
  assert.match(stdout, /^plus\n[^]*program\.cjs[^]*\| 3 [^]*\nminus\n[^]*program\.cjs[^]*\| 5 /);
  const { status, stderr } = await scene.command("report", "--target", "api");
  assert.equal(
    [status, stderr],
    [
      1,
      "kcovfs: Cannot report on api: no measured code of such a target has run, but of plus, minus; see 'kcovfs ps'\n",
    ],
  );
});

report("another user's run is reported on only where its state folder is named", async () => {
  await using scene = new Scene();
  const server = await scene.serve();
  await makeProgram(scene, {}).run("5");
  server.kill("SIGTERM");
  assert.is((await finish(server)).status, 0);
  // With a server's default state folder, in a mount namespace without other servers.
  const script =
    `umount -a -l -t fuse.kcovfs; mount -t tmpfs tmpfs /var/lib && cp -a "$1" /var/lib/kcovfs &&
    chown 4711 /var/lib/kcovfs/covered.json && shift && exec "$@"`;
  const command = ["unshare", "--mount", "sh", "-c", script, "sh", scene.state, KCOVFS, "report"];
  const env = { KCOVFS_MOUNT: "" };
  const asked = await execute(command, { env });
  assert.is(asked.status, 1);
  const line =
    /^kcovfs: Cannot choose a run: .* user 4711's server .*; if you mean that, say --state \/var\/lib\/kcovfs\n$/;
  assert.match(asked.stderr, line);
  const named = await execute([...command, "--state", "/var/lib/kcovfs", "--format", "summary"], {
    env,
  });
  assert.is(named.status, 0, named.stderr);
  assert.match(named.stdout, "Functions    : 100% ( 1/1 )");
  const setpriv = ["setpriv", "--reuid=4712", "--regid=4712", "--clear-groups"];
  const others = await execute(command.toSpliced(-2, 0, ...setpriv), { env });
  assert.match(
    others.stderr,
    /^kcovfs: Cannot report on \/var\/lib\/kcovfs: it is another user's; say --state, or/,
  );
});

report("when its server has ended, the last one of the state folder is reported on", async () => {
  await using scene = new Scene();
  const server = await scene.serve();
  await makeProgram(scene, {}).run("5");
  server.kill("SIGTERM");
  assert.is((await finish(server)).status, 0);
  const options = ["--state", scene.state, "--format", "summary"];
  const { status, stdout, stderr } = await execute([KCOVFS, "report", ...options]);
  assert.is(status, 0, stderr);
  assert.match(stdout, "Functions    : 100% ( 1/1 )");
  const said =
    /^kcovfs: this is of root's server in \S+\/state that ended at (\S+); its targets: \S+\n$/;
  const [, when] = said.exec(stderr)!;
  assert.match(when, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.ok(Math.abs(Date.now() - Date.parse(when)) < 60_000, when);
  const empty = join(scene.folder, "empty");
  const refused = await execute([KCOVFS, "report", "--state", empty]);
  assert.is(refused.status, 1);
  assert.match(refused.stderr, `kcovfs: Cannot report on ${empty}: `);
});

report("a fuzzer's server, which ends with it, is reported on", async () => {
  await using scene = new Scene();
  const { path } = makeProgram(scene, {});
  const fuzz = ["fuzz", "--state", scene.state, "--", process.execPath, path, "5"];
  assert.is((await execute([KCOVFS, ...fuzz])).status, 0);
  const { stdout } = await execute([KCOVFS, "report", "--state", scene.state]);
  assert.match(stdout, /program\.cjs.*\| 3 /);
});

report("lcov has the lines, functions and branches", async () => {
  await using scene = new Scene();
  await scene.serve();
  await makeProgram(scene, {}).run("5");
  const out = join(scene.folder, "lcov");
  const { stdout } = await scene.command("report", "--format", "lcov", "--out", out);
  assert.is(stdout, `${join(out, "lcov.info")}\n`);
  const lines = readFileSync(join(out, "lcov.info"), "utf8").split("\n");
  for (const line of ["FN:1,sign", "FNDA:1,sign", "DA:2,1", "DA:3,0", "FNF:1"]) {
    assert.ok(lines.includes(line), line);
  }
});

report("without anything executed, a report says what to do", async () => {
  await using scene = new Scene();
  await scene.serve();
  const { status, stderr } = await scene.command("report");
  assert.equal(
    [status, stderr],
    [
      1,
      "kcovfs: Cannot report: nothing has executed yet; start a target with 'kcovfs run'\n",
    ],
  );
});

report("TypeScript is shown as it was written, also when the file has changed since", async () => {
  await using scene = new Scene();
  await scene.serve();
  const path = join(scene.folder, "typed.ts");
  const text =
    "function f(n: number): string {\n  if (n > 1) return 'many';\n  return 'one';\n}\nf(1);\n";
  writeFileSync(path, text);
  const node = NODES["Node 24"];
  await scene.command("run", "--name", "typed", "--", node, path);
  assert.equal(await uncoveredLines(scene, path), [2]);
  const html = async () => {
    const out = join(scene.folder, "html");
    const { stdout } = await scene.command("report", "--format", "html", "--out", out);
    assert.is(stdout, `${join(out, "index.html")}\n`);
    return readFileSync(join(out, "typed.ts.html"), "utf8");
  };
  assert.match(await html(), "n: number");
  writeFileSync(path, "something else");
  assert.match(await html(), "n        )");
});

report("a browser shows covered lines in another colour than others", async () => {
  await using scene = new Scene();
  await scene.serve();
  await makeProgram(scene, {}).run("5");
  const out = join(scene.folder, "html");
  await scene.command("report", "--format", "html", "--out", out);
  await using browser = await Chromium.start([]);
  const tab = await browser.open(pathToFileURL(join(out, "program.cjs.html")).href);
  // The tab first shows an empty page, which may go during the call.
  const look = () => browser.evaluate(tab, LOOK).catch(() => undefined);
  let colours = await look();
  for (let i = 0; !colours && i < 100; i++) {
    await sleep(50);
    colours = await look();
  }
  assert.equal(colours, ["rgb(230, 245, 208)", "rgb(252, 225, 229)", "rgb(230, 245, 208)"]);
});

report.run();
