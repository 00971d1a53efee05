/**
 * The time of a page fault that is served with nothing to collect, side by side with filesystems that do no
 * more than that. Run it with `node dist/bench/fault_bench.js [--rounds N] [--faults N]`; its last output is
 * in `fault_bench.txt`.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism, release } from "node:os";
import { parseArgs } from "node:util";
import { execute, Scene } from "../test/e2e/harness.ts";
import { compileClient, findWants, Mounts, startSubjects, type Subject } from "./fault_subjects.ts";

/** The CPUs of the client and of the servers, as lists of taskset(1). */
const PLACEMENTS = [
  { name: "one core", client: "0", server: "0" },
  { name: "two cores", client: "0", server: "1" },
] as const;

type Placement = typeof PLACEMENTS[number];

/** Medians of one run of the client, in µs: of the touches, and of the time from one to the next. */
interface Sample {
  readonly fault: number;
  readonly round: number;
}

/** The times of each subject under each placement, round by round. */
type Samples = Map<Subject, Map<Placement, Sample[]>>;

function place(server: number, placement: Placement): void {
  const args = ["--all-tasks", "--cpu-list", "--pid", placement.server, String(server)];
  const { status, stderr } = spawnSync("taskset", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot move ${server}: ${stderr}`);
}

async function sample(
  subject: Subject,
  placement: Placement,
  run: { client: string; faults: number },
): Promise<Sample> {
  place(subject.server.pid!, placement);
  const { path, kind, dropper } = subject;
  const command = [run.client, path, kind, dropper, String(run.faults)];
  const { stdout, stderr } = await execute(["taskset", "--cpu-list", placement.client, ...command]);
  const found = stdout.match(/^fault ([\d.]+) round ([\d.]+)$/m);
  if (!found) throw new Error(`Cannot measure ${subject.name}: ${stderr}`);
  return { fault: Number(found[1]), round: Number(found[2]) };
}

async function measure(
  subjects: readonly Subject[],
  run: { client: string; faults: number; rounds: number },
): Promise<Samples> {
  const samples: Samples = new Map(
    subjects.map((subject) => [subject, new Map(PLACEMENTS.map((place) => [place, []]))]),
  );
  // The first round warms up: V8 compiles.
  for (let round = 0; round <= run.rounds; round++) {
    for (const placement of PLACEMENTS) {
      for (const subject of subjects) {
        const one = await sample(subject, placement, run);
        if (round > 0) samples.get(subject)!.get(placement)!.push(one);
      }
    }
  }
  return samples;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** A line of the table; ratios are the medians of the rounds' ratios. */
function formatRow(
  samples: Samples,
  row: { subject: Subject; base: Subject; key: keyof Sample },
): string {
  const columns = PLACEMENTS.map((placement) => {
    const [own, others] = [row.subject, row.base].map((subject) =>
      samples.get(subject)!.get(placement)!.map((sample) => sample[row.key])
    );
    const ratio = median(own.map((time, i) => time / others[i]));
    return median(own).toFixed(1).padStart(8) + ratio.toFixed(2).padStart(8);
  });
  return `  ${row.subject.name.padEnd(22)}${columns.join("    ")}\n`;
}

function formatSection(samples: Samples, section: typeof SECTIONS[number]): string {
  const subjects = [...samples.keys()].filter(({ dropper }) => dropper === section.dropper);
  const [base] = subjects;
  const rows = subjects.map((subject) => formatRow(samples, { subject, base, key: section.key }));
  return `${section.title}\n${rows.join("")}`;
}

const SECTIONS = [
  { title: "A fault, of a page that the client dropped", dropper: "client", key: "fault" },
  { title: "A fault, of a page that the server dropped", dropper: "server", key: "fault" },
  { title: "... and until it is dropped again", dropper: "server", key: "round" },
] as const;

function formatTable(samples: Samples): string {
  const placements = PLACEMENTS.map(({ name }) => name.padStart(16)).join("    ");
  const units = PLACEMENTS.map(() => "us     : C".padStart(16)).join("    ");
  const sections = SECTIONS.map((section) => formatSection(samples, section)).join("");
  return `${" ".repeat(24)}${placements}\n${" ".repeat(24)}${units}\n${sections}`;
}

async function run(options: { rounds: number; faults: number }): Promise<void> {
  await using scene = new Scene();
  using mounts = new Mounts(scene);
  const subjects = await startSubjects(scene, mounts);
  const samples = await measure(subjects, { client: compileClient(), ...options });
  process.stdout.write(
    `${availableParallelism()} CPUs, Linux ${release().split("-")[0]}, Node ${process.version}; ` +
      `${options.rounds} rounds of ${options.faults} faults\n\n${formatTable(samples)}`,
  );
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    faults: { type: "string", default: "3000" },
  },
});
const wants = findWants();
if (wants) {
  process.stderr.write(`Cannot measure: this needs ${wants}\n`);
  process.exitCode = 1;
} else {
  await run({ rounds: Number(values.rounds), faults: Number(values.faults) });
}
