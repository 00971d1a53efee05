import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, finish, KCOVFS, Scene } from "./harness.ts";
import { DIRECT } from "./measures.ts";
import { heard, type Watched, watched } from "./watched.ts";

interface Context {
  scene: Scene;
  socket: string;
}

type Samples = readonly (readonly [string, Readonly<Record<string, string>>, number])[];

const PARSER = fileURLToPath(
  new URL("../../../test/fixtures/programs/parse_metrics.py", import.meta.url),
);
/** A name that does harm wherever it is written unchanged. */
const NAME = 'a"b\\c\n\x1b[2Jd';
/** The same name in samples: a terminal acts on nothing in it. */
const SHOWN = 'a"b\\c\n?[2Jd';

const top = suite<Context>("top");

top.before(async (context) => {
  context.scene = new Scene();
  await context.scene.serve();
  context.socket = (await context.scene.service("paths")).socket;
});

top.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

/** The cells of a table's row that has a text in it, by their headings. */
function row(block: string, text: string): Record<string, string> {
  const lines = block.split("\n");
  const at = lines.findIndex((line) => line.includes(text));
  const headings = lines.slice(0, at).findLast((line) => /^ *ID /.test(line))!;
  const cells = lines[at].trim().split(/ {2,}/);
  return Object.fromEntries(headings.trim().split(/ {2,}/).map((name, i) => [name, cells[i]]));
}

/** The samples that Prometheus' own library reads from the file. */
async function metrics(scene: Scene): Promise<Samples> {
  const { stdout } = await execute(["cat", join(scene.mount, "kcovfs/metrics")]);
  const parsed = await execute(["/usr/bin/python3", PARSER], { input: stdout });
  assert.is(parsed.status, 0, parsed.stderr);
  const families = JSON.parse(parsed.stdout) as [string, string, string, Samples][];
  return families.flatMap(([, , , samples]) => samples);
}

/** The samples of one client, by their names. */
function ofClient(samples: Samples, { pid }: Watched): Record<string, number> {
  const info = samples.find(([name, labels]) =>
    name === "kcovfs_instance_info" && labels.pid === String(pid)
  );
  const { instance } = info![1];
  return Object.fromEntries(
    samples.filter(([, labels]) => labels.instance === instance).map(([name, labels, value]) => [
      name.replace("kcovfs_instance_", "") + (labels.stage ? ` ${labels.stage}` : ""),
      value,
    ]),
  );
}

top("what a client did is what is shown of it, in each interval", async (context) => {
  const { scene } = context;
  const client = await watched(context, { words: 4096, loops: 300, name: "fuzzer" });
  const { stdout, status } = await scene.command("top", "--interval", "0.1", "--count", "2");
  assert.is(status, 0);
  const blocks = stdout.split(/\n\n(?=kcovfs )/);
  assert.is(blocks.length, 2);
  for (const block of blocks) {
    const seen = row(block, "fuzzer");
    const { executions, pcs, full, count, pid } = client;
    assert.equal([executions, full], [300, 0]);
    assert.equal(
      [seen.EXECS, seen.PCS, seen.FULL, seen.AREA, seen.PID, seen.OWNER, seen.STATE].join(" "),
      [300, pcs, 0, `${count}/4096`, pid, pid, "enabled"].join(" "),
    );
    assert.is(seen["EXECS/S"], "0.00");
    assert.match(
      block,
      /^executions 0\.00\/s \(\d+ in all\), new blocks 0\.00\/min \(\d+ in all\)$/m,
    );
    const { TARGET, HOLD, STATE } = row(block, "paths");
    assert.equal([TARGET, HOLD, STATE], ["paths", "gate", "running"]);
  }
});

top("a running loop has a rate, and its faults have their times", async (context) => {
  const { scene, socket } = context;
  const client = scene.start([compile("watched"), scene.kcov, socket, "4096", "0"]);
  const child = scene.start([KCOVFS, "top", "--mount", scene.mount, "--interval", "0.2"]);
  const { text, until } = heard(child);
  // The rate is known and above 0, and all three times of a fault follow.
  const known = new RegExp(`  ${client.pid} .*  (?!0\\.00 )[\\d.]+(?: +[\\d.]+){3}\n\n`);
  await until(known);
  const block = text().split(/\n\n(?=kcovfs )/).find((block) => known.test(`${block}\n\n`))!;
  const seen = row(block, String(client.pid));
  const [, rate, fault] = block.match(/^executions ([\d.]+)\/s [^]* collecting ([\d.]+) ms,/m)!;
  assert.equal([rate, fault], [seen["EXECS/S"], seen.COLLECT], "no other client does anything");
  assert.ok(Number(fault) > 0 && Number(seen.HOLD) > 0 && Number(seen.ANSWER) >= 0, block);
  client.kill();
  child.kill();
  await Promise.all([client, child].map((one) => finish(one)));
});

top("the metrics are what happened, as Prometheus reads them", async (context) => {
  const client = await watched(context, { words: 8, loops: 100, name: NAME });
  const samples = await metrics(context.scene);
  const info = samples.find(([, labels]) => labels.pid === String(client.pid))!;
  assert.is(info[1].client, SHOWN);
  const own = ofClient(samples, client);
  assert.equal([client.executions, client.full, client.pcs], [100, 100, 700]);
  assert.equal(
    [own.executions_total, own.full_areas_total, own.pcs_total, own.area_words, own.area_records],
    [100, 100, 700, 8, 7],
  );
  // The fault of the last read ends only when the next request could begin.
  assert.ok(own.faults_total >= 99 && own.faults_total <= 201, `${own.faults_total} faults`);
  for (const stage of ["collecting", "answering", "holding"]) {
    assert.ok(own[`fault_seconds_total ${stage}`] > 0, stage);
  }
  client.child.stdin!.end();
  await finish(client.child);
  await watched(context, { words: 8, loops: 10 });
  const later = await metrics(context.scene);
  assert.not(later.some(([, labels]) => labels.client === SHOWN), "it has gone,");
  const total = (among: Samples, name: string) =>
    among.find(([sample]) => sample === `kcovfs_${name}_total`)![2];
  assert.is(total(later, "executions"), total(samples, "executions") + 10, "what it did has not");
  const covered = total(samples, "covered_blocks");
  assert.ok(covered > 64);
  assert.is(total(later, "covered_blocks"), covered, "the same requests bring nothing new");
});

top("a client's name does nothing to the lines", async (context) => {
  await watched(context, { words: 8, loops: 1, name: NAME });
  const { stdout } = await context.scene.command("top", "--interval", "0.1", "--count", "1");
  assert.is(row(stdout, 'a"b').CLIENT, 'a"b\\c??[2Jd');
});

top("a reader that has seen enough ends it", async ({ scene }) => {
  const command = `"$0" top --interval 0.1 | head -n 1`;
  const { status, stdout, stderr } = await execute(["sh", "-c", command, KCOVFS], {
    env: { KCOVFS_MOUNT: scene.mount },
  });
  assert.equal([status, stderr], [0, ""]);
  assert.match(stdout, /^kcovfs \S+, pid \d+, up \d+:\d\d:\d\d, collector v8\n$/);
});

for (const how of ["SIGINT", "SIGTERM"] as const) {
  top(`${how} ends it, in order`, async ({ scene }) => {
    const child = scene.start([KCOVFS, "top", "--mount", scene.mount, "--interval", "0.1"]);
    await heard(child).until("\n\nkcovfs ");
    child.kill(how);
    const { status, stderr } = await finish(child);
    assert.equal([status, stderr], [0, ""]);
  });
}

top("where clients map what targets write, what they do is not made up", async () => {
  await using scene = new Scene();
  await scene.serve(...DIRECT.options);
  const { socket } = await scene.service("paths");
  const client = await watched({ scene, socket }, { words: 4096, loops: 20 });
  const { stdout } = await scene.command("top", "--interval", "0.1", "--count", "1");
  const { AREA, EXECS, PCS, FULL } = row(stdout, "watched");
  assert.equal([AREA, EXECS, PCS, FULL], [`${client.count}/4096`, "-", "-", "-"]);
  assert.match(stdout, /^executions -, new blocks 0\.00\/min \(\d+ in all\)$/m);
  const samples = await metrics(scene);
  assert.is(ofClient(samples, client).area_records, client.count);
  assert.not(samples.some(([name]) => /executions|fault/.test(name)));
  const [, , covered] = samples.find(([name]) => name === "kcovfs_covered_blocks_total")!;
  assert.ok(covered > 64);
});

top.run();
