/** Recordings with lines that are changed, doubled, missing or in another order. */
import * as fs from "node:fs";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packMessage, unpackMessage } from "../../src/recording/entry.ts";
import { readRecording } from "../../src/recording/read_recording.ts";
import { Replayer } from "../../src/recording/replayer.ts";
import { RecordedKernel } from "../recording/recorded_kernel.ts";
import { mutate } from "./fuse_requests.ts";
import { fuzz } from "./fuzzing.ts";
import { mutateBytes, mutateJson, mutateText, shown } from "./mutate_text.ts";
import type { Random } from "./random.ts";

const recordings = suite("hostile, recordings");

let kernel: RecordedKernel;
let lines: string[] = [];
recordings.before(async () => {
  kernel = new RecordedKernel();
  await kernel.converse();
  const facts = [
    { t: 1, memory: "0x18", tid: process.pid, bytes: "AQAAAAAAAAA=" },
    { t: 1, direct: true },
    { t: 1, ioctl: 0x4010e501, result: 1 },
    { t: 1, comparable: true },
  ];
  // Equal each time.
  const recorded = kernel.lines().map((line, t) => {
    const entry = JSON.parse(line) as Line;
    return { ...entry, ...("t" in entry ? { t } : { began: "2026-01-01T00:00:00.000Z" }) };
  });
  lines = [...recorded, ...facts].map((entry) => JSON.stringify(entry));
});
recordings.after(() => kernel[Symbol.asyncDispose]());

function descriptors(): number {
  return fs.readdirSync("/proc/self/fd").length;
}

type Line = Record<string, unknown>;

function mutateLine(line: string, random: Random): string {
  if (random.chance(15)) return mutateText(line, random);
  const entry = JSON.parse(line) as Line;
  const key = ["rx", "tx", "bytes"].find((key) => typeof entry[key] === "string");
  if (key !== undefined && random.chance(70)) {
    const message = mutate(unpackMessage(entry[key] as string), random);
    return JSON.stringify({ ...entry, [key]: packMessage(message) });
  }
  return JSON.stringify(mutateJson(entry, random)) ?? "";
}

function randomRecording(random: Random): Uint8Array {
  const mutants = [...lines];
  for (let i = random.below(4); i >= 0; i--) {
    const at = random.chance(10) ? 0 : random.below(mutants.length);
    const other = random.below(mutants.length);
    switch (random.below(6)) {
      case 0:
        mutants.splice(at, 1);
        break;
      case 1:
        mutants.splice(at, 0, mutants[other]);
        break;
      case 2:
        [mutants[at], mutants[other]] = [mutants[other], mutants[at]];
        break;
      default:
        try {
          mutants[at] = mutateLine(mutants[at], random);
        } catch {
          // The line is no JSON any more.
        }
    }
    if (mutants.length === 0) mutants.push("");
  }
  const bytes = Buffer.from(mutants.map((line) => `${line}\n`).join(""));
  return random.chance(10) ? mutateBytes(bytes, random) : bytes;
}

recordings(
  "a recording that makes no sense is replayed as far as it does, or refused in a line",
  () =>
    fuzz<Uint8Array>({
      name: "recordings",
      ...{ reduced: 40, full: 3000 },
      make: randomRecording,
      check: async (bytes) => {
        const file = path.join(kernel.folder, "mutant");
        fs.writeFileSync(file, bytes);
        const before = descriptors();
        try {
          const recording = await readRecording(file);
          const print = (line: string) => {
            // A call that failed when it was recorded fails again, and is reported as before.
            if (line.includes("it failed when it was recorded")) return;
            if (/Error:|\n/.test(line)) throw new TypeError(`it says ${line}`);
          };
          await new Replayer({ print, patience: 2 }).replay(recording);
        } catch (error) {
          const { name, message } = error as Error;
          if (name !== "UserError" || !/^Cannot replay [^\n]*$/.test(message)) throw error;
        }
        // A stream's descriptor is closed some time later.
        for (let i = 0; i < 400 && descriptors() > before; i++) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        const left = descriptors() - before;
        if (left > 0) throw new Error(`${left} descriptors are left open`);
      },
      show: (bytes) => shown(Buffer.from(bytes).toString()),
    }),
);

recordings("what is no recording and never ends is refused", async () => {
  for (const [file, reason] of [["/dev/zero", /longer than/], [kernel.folder, /EISDIR/]] as const) {
    const error = await readRecording(file).then(() => undefined, (error: Error) => error);
    assert.match(error?.message ?? "", reason);
    assert.match(error?.message ?? "", /^Cannot replay [^\n]*$/);
  }
});

recordings("a name that has a line separator in it is within its line", async () => {
  const name = "a\u2028b\u2029c\rd";
  const fact = JSON.stringify({ t: 1, targets: [{ name, id: 1, isAlive: true }] });
  const file = path.join(kernel.folder, "separators");
  fs.writeFileSync(file, `${lines[0]}\n${fact}\n`);
  const recording = await readRecording(file);
  const entries = [];
  for await (const { entry } of recording.entries) entries.push(entry);
  assert.equal([entries, recording.isCut], [[JSON.parse(fact)], false]);
});

recordings.run();
