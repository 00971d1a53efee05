/** Targets that live for one request: the client starts a process, waits, and reads what it executed. */
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rounds } from "../rounds.ts";
import { compile, execute, finish, type Finished, KCOVFS, NODES, Scene } from "./harness.ts";
import { COUNTS, DIRECT, FAULTS, type Measure } from "./measures.ts";
import { executedTexts, textsInPaths } from "./path_blocks.ts";

/** The program, which is not compiled. */
const ONCE = fileURLToPath(new URL("../../../test/e2e/once.cjs", import.meta.url));

/** ms that a read may take at most: a target that is gone must not be waited for until the limit of 5 s. */
const LONGEST_READ = 3000;

interface Context {
  scene: Scene;
  measure: Measure;
}

/** The client's reads of one round. */
interface Round {
  readonly paths: readonly number[];
  readonly statuses: readonly number[];
  readonly ms: number;
  readonly texts: readonly string[];
}

interface Plan {
  readonly rounds: number;
  readonly parallel?: number;
  readonly command: readonly string[];
  /** Whether `kcovfs run` starts each process, and not the client as a whole. */
  readonly isEach?: boolean;
}

async function run(
  { scene, measure }: Context,
  { rounds, parallel = 1, command, isEach }: Plan,
): Promise<{ rounds: Round[]; stderr: string }> {
  const wrapped = [KCOVFS, "run", "--mount", scene.mount, "--"];
  const client = [compile("short_lived"), scene.kcov, String(rounds), String(parallel)];
  const { status, stdout, stderr }: Finished = await execute(
    isEach ? [...client, ...wrapped, ...command] : [...wrapped, ...client, ...command],
    { timeout: 240_000, env: measure.env },
  );
  assert.is(status, 0, stderr);
  const lines = stdout.trim().split("\n").map((line) => line.split(" "));
  const pcs = [...new Set(lines.flatMap((words) => words.slice(3)))];
  const blocks = scene.symbolize(pcs);
  const where = new Map(pcs.map((pc, i) => [pc, blocks[i]]));
  return {
    stderr,
    rounds: lines.map(([paths, statuses, ms, ...pcs]) => ({
      paths: paths.split(",").map(Number),
      statuses: statuses.split(",").map(Number),
      ms: Number(ms),
      texts: textsInPaths(pcs.map((pc) => where.get(pc)!)),
    })),
  };
}

/** Each round read the blocks of its paths and of no others. */
function assertRead({ rounds, stderr }: { rounds: readonly Round[]; stderr: string }): void {
  for (const { paths, texts, ms } of rounds) {
    const round = `paths ${paths}, read in ${ms} ms; stderr: ${stderr}`;
    assert.equal([...texts].sort(), paths.flatMap(executedTexts).sort(), round);
    assert.ok(ms < LONGEST_READ, `the read took ${ms} ms`);
  }
}

/** How the program can end, and its exit status; `path` for the path's number. */
const WAYS: [way: string, sentence: string, status: number | "path"][] = [
  ["returns", "a program that runs to its end", 0],
  ["exits", "a program that calls process.exit", "path"],
  ["exits_early", "a program that exits out of a timer, with others pending", "path"],
  ["sets_exit_code", "a program that sets its exit code", "path"],
  ["throws", "a program that throws", 1],
  ["rejects", "a program that leaves a rejection unhandled", 1],
  ["on_exit", "what a listener of the exit does", 0],
  ["before_exit", "what is begun when nothing else is left to do", 0],
  ["spawns", "a program that another has started", "path"],
  ["on_sigterm", "a program that ends by a handler of SIGTERM", "path"],
];

const MEASURES = {
  "short-lived targets": COUNTS,
  "short-lived targets that write": DIRECT,
  "short-lived targets with probes": FAULTS,
};

for (const [name, measure] of Object.entries(MEASURES)) {
  if (!name.includes(process.argv[2] ?? "")) continue;
  const short = suite<Context>(name);
  /** How many of so many times are enough; fewer where this is not the first way to measure. */
  const some = (long: number) => {
    const times = rounds(Math.ceil(long / 3), { long });
    return measure === COUNTS ? times : Math.ceil(times / 4);
  };

  short.before(async (context) => {
    for (const client of ["short_lived", "killer", "exactness"]) compile(client);
    context.measure = measure;
    context.scene = new Scene();
    await context.scene.serve(...measure.options);
  });

  short.after(async (context) => {
    await context.scene[Symbol.asyncDispose]();
  });

  for (const [way, sentence, status] of WAYS) {
    short(`${sentence} is read when it has exited, with its exit status`, async (context) => {
      const command = [process.execPath, ONCE, way];
      const read = await run(context, { rounds: some(12), command });
      const { rounds, stderr } = read;
      assertRead(read);
      for (const { paths, statuses } of rounds) {
        assert.equal(statuses, status === "path" ? paths : [status]);
      }
      if (status === 1) assert.match(stderr, "Error: on purpose");
      else assert.is(stderr, "");
      assert.not.match(stderr, /kcovfs|debugger/i);
    });
  }

  for (const [name, node] of Object.entries(NODES)) {
    short(`processes of ${name} are each read exactly`, async (context) => {
      const read = await run(context, { rounds: some(64), command: [node, ONCE, "exits"] });
      const { rounds, stderr } = read;
      assertRead(read);
      for (const { paths, statuses } of rounds) assert.equal(statuses, paths);
      assert.is(stderr, "");
    });
  }

  short(
    "a process that kcovfs run has started for one request is read exactly",
    async (context) => {
      const command = [process.execPath, ONCE, "exits"];
      const read = await run(context, { rounds: some(8), command, isEach: true });
      const { rounds, stderr } = read;
      assertRead(read);
      for (const { paths, statuses } of rounds) assert.equal(statuses, paths);
      assert.is(stderr, "");
    },
  );

  short("eight processes at a time are read when the last has exited", async (context) => {
    const command = [process.execPath, ONCE, "exits"];
    const read = await run(context, { rounds: some(8), parallel: 8, command });
    assertRead(read);
    for (const { paths, statuses } of read.rounds) assert.equal(statuses, paths);
  });

  short("a program that aborts keeps its status, and nobody waits for it", async (context) => {
    const { rounds } = await run(context, {
      rounds: 4,
      command: [process.execPath, ONCE, "aborts"],
    });
    for (const { statuses, ms } of rounds) {
      assert.equal(statuses, [134]);
      assert.ok(ms < LONGEST_READ, `the read took ${ms} ms`);
    }
  });

  // The hits that probes have written stay, whatever happens to the process.
  const loses = measure === COUNTS ? "loses what was not collected" : "loses nothing";
  short(`a process that is killed ${loses}`, async (context) => {
    const { scene } = context;
    for (let round = 0; round < rounds(2, { long: 5 }); round++) {
      const { status, stdout, stderr } = await execute([
        ...[KCOVFS, "run", "--mount", scene.mount, "--", compile("killer"), scene.kcov],
        ...[process.execPath, ONCE, "answers"],
      ], { env: measure.env });
      assert.is(status, 0, stderr);
      const [before, after] = stdout.trim().split("\n").map((line) => line.split(" "));
      const read = textsInPaths(scene.symbolize(before.slice(1)));
      assert.equal(read, executedTexts(1));
      const left = after.length > 1 ? textsInPaths(scene.symbolize(after.slice(1))) : [];
      assert.equal(left, measure === COUNTS ? [] : executedTexts(2));
      assert.ok(Number(after[0]) < LONGEST_READ, `the read took ${after[0]} ms`);
    }
    assertRead(await run(context, { rounds: 4, command: [process.execPath, ONCE, "exits"] }));
  });

  // A collection for the other client may come just when a process exits.
  short(
    "processes that come and go are read exactly while another client reads",
    async (context) => {
      const { scene } = context;
      const socket = await scene.copy("copy", { place: "others" });
      const loop = scene.start([compile("exactness"), scene.kcov, socket, "1000000000", "shared"]);
      const read = await run(context, {
        rounds: some(64),
        command: [process.execPath, ONCE, "exits"],
      });
      assert.is(loop.exitCode, null);
      loop.kill("SIGTERM");
      await finish(loop);
      assertRead(read);
      for (const { paths, statuses } of read.rounds) assert.equal(statuses, paths);
    },
  );

  short.run();
}
