/** A Deno whose scripts have probes reports the same as one whose blocks are counted. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";
import { blockOfPc } from "../../src/symbols/pc_space.ts";
import { symbolFile } from "../../src/symbols/symbol_file.ts";
import { until } from "../until.ts";
import { compileFile, execute, Scene, WITH_DENO } from "./harness.ts";

const deno = suite("Deno, with probes");

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FOLDER = join(ROOT, "test/fixtures/deno");
const CLIENT = join(ROOT, "examples/clients/trace.c");
/** The last but one has a file imported that Deno wraps in a module of its own. */
const REQUESTS = ["abc", "ab", "abcdefg", "abcdefg", "SHOUT!", "common", "common text"];

/** A client's results. */
interface Found {
  readonly pcs: readonly (readonly string[])[];
  /** The target's row in `ps`. */
  readonly row: Readonly<Record<string, unknown>>;
  /** The scripts that have symbols, by URL: their first blocks and the number of their blocks. */
  readonly segments: readonly { url: string; base: number; count: number }[];
}

function deduplicated(lines: string): string[] {
  return [...new Set(lines.split("\n").filter(Boolean))].sort();
}

/** Serves the program under Deno with a server of these options, and has a client ask it. */
async function trace(...options: readonly string[]): Promise<Found> {
  await using scene = new Scene();
  const server = await scene.serve(...options);
  const [socket, message] = ["socket", "message"].map((name) => join(scene.folder, name));
  const program = ["deno", "run", "-A", "--no-check", join(FOLDER, "service.ts"), socket];
  // How a request is cut into pieces varies, so this file is left out.
  const command = scene.run("service", ["--exclude", "**/frames.ts"]);
  const child = scene.start([...command, ...program], { env: WITH_DENO });
  let errors = "";
  child.stderr!.setEncoding("utf8").on("data", (text) => errors += text);
  await until(() => existsSync(socket) || child.exitCode !== null);
  const pcs: string[][] = [];
  for (const request of REQUESTS) {
    writeFileSync(message, request);
    const env = { KCOV: scene.kcov };
    const found = await execute([compileFile(CLIENT), socket, message], { env });
    assert.equal([found.status, found.stderr], [0, ""], errors);
    pcs.push(deduplicated(found.stdout));
  }
  const verbose = JSON.parse((await scene.command("ps", "--all", "--json", "-v")).stdout);
  const [row] = JSON.parse((await scene.command("ps", "--all", "--json")).stdout);
  assert.equal([verbose.targets[0].state, row.state], ["running", "running"]);
  assert.equal(verbose.scripts.map(({ url }: { url: string }) => url.split("/").at(-1)), [
    ...(row.link === "agent" ? ["frames.ts"] : []),
  ]);
  assert.is(server.warnings(), "");
  assert.is(errors, row.link === "agent" ? "" : "Debugger session started.\n");
  using symbols = SymbolTable.open(symbolFile(scene.state), { isReadOnly: true });
  return { pcs, row, segments: symbols.segments };
}

let counted: Found;
deno.before(async () => {
  counted = await trace("--collector", "v8");
});

deno("its PCs are those that are counted, but for what Deno puts around CommonJS", async () => {
  const traced = await trace("--collector", "trace");
  const { link, collector, hold } = traced.row;
  assert.equal([link, collector, hold], ["agent", "trace", "unneeded"]);
  const others = counted.segments.filter(({ base }) =>
    !traced.segments.some((segment) => segment.base === base)
  );
  assert.equal(others.map(({ url }) => url.split("/").at(-1)).sort(), ["common.cjs", "half.cjs"]);
  assert.is(traced.segments.length + others.length, counted.segments.length);
  const isOthers = (pc: string) => {
    const block = blockOfPc(BigInt(pc))!;
    return others.some(({ base, count }) => block >= base && block < base + count);
  };
  for (const [i, pcs] of counted.pcs.entries()) {
    assert.equal(traced.pcs[i], pcs.filter((pc) => !isOthers(pc)), REQUESTS[i]);
    assert.ok(pcs.length > 3, `${pcs.length} PCs`);
  }
  assert.equal(counted.pcs.map((pcs) => pcs.some(isOthers)), [
    ...[false, false, false, false, false, true, false],
  ]);
});

deno(
  "without passthrough it is measured by its inspector, as where blocks are counted",
  async () => {
    const found = await trace("--collector", "trace", "--no-passthrough");
    assert.equal([found.row.link, found.row.collector], ["inspector", "v8"]);
    assert.equal(found.pcs, counted.pcs);
  },
);

deno("one that lacks permissions says which, and runs without probes", async () => {
  await using scene = new Scene();
  await scene.serve("--collector", "trace");
  const file = join(scene.folder, "main.ts");
  writeFileSync(file, 'enum A { B } console.log("ran", A.B, typeof __kcov);');
  const run = (...flags: string[]) =>
    execute([...scene.run("main"), "deno", "run", "--no-check", ...flags, file], {
      env: { ...WITH_DENO, NO_COLOR: "1" },
    });
  const needed = ["env", "ffi", "net", "read", "sys", "write"].map((name) => `--allow-${name}`);
  assert.equal(await run("--allow-env", "--allow-net", "--allow-read", "--allow-write"), {
    ...{ status: 0, signal: null, stdout: "ran 0 undefined\n" },
    stderr: "kcovfs: probes in a Deno need --allow-ffi --allow-sys: running without coverage\n",
  });
  assert.is(
    (await run()).stderr,
    `kcovfs: probes in a Deno need ${needed.join(" ")}: running without coverage\n`,
  );
  assert.equal(JSON.parse((await scene.command("ps", "--all", "--json")).stdout), []);
  // Without all permissions it opens nothing in /dev/shm, either.
  const { stdout, stderr } = await run(...needed);
  assert.is(stdout, "ran 0 undefined\n");
  assert.match(
    stderr,
    /^kcovfs: Cannot start the agent: .*--allow-all.*: running without coverage\n$/,
  );
  assert.equal(await run("--allow-all"), {
    ...{ status: 0, signal: null, stdout: "ran 0 function\n", stderr: "" },
  });
});

deno.run();
