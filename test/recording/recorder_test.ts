import { statSync } from "node:fs";
import { release } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packMessage, unpackMessage } from "../../src/recording/entry.ts";
import { Recorder } from "../../src/recording/recorder.ts";
import { VERSION } from "../../src/base/version.ts";
import { RecordedKernel } from "./recorded_kernel.ts";

const recorder = suite("recording/recorder");

recorder("the first line tells what the server was, the others what passed, in order", async () => {
  await using kernel = new RecordedKernel();
  await kernel.converse();
  const [header, ...entries] = kernel.lines().map((line) => JSON.parse(line));
  const { recording, format, version, kernel: system, mode, files, mounted } = header;
  assert.equal([recording, format, version, system], ["kcovfs", 1, VERSION, release()]);
  assert.equal([mode, files, mounted], [0o600, ["targets"], 1_700_000_000]);
  const kinds = entries.map((entry) => Object.keys(entry)[1]);
  assert.equal(kinds.slice(0, 6), ["rx", "tx", "rx", "tx", "rx", "written"]);
  assert.equal(kinds.filter((kind) => kind === "rx").length, 11);
  assert.equal(kinds.filter((kind) => kind === "tx").length, 11);
  const times = entries.map(({ t }) => t as number);
  assert.ok(times.every((t, i) => t >= (times[i - 1] ?? 0)), times.join(" "));
});

recorder("what the server learns otherwise is noted once, until it changes", async () => {
  await using kernel = new RecordedKernel();
  await kernel.converse();
  const facts = kernel.lines().slice(1).map((line) => JSON.parse(line))
    .filter((entry) => !("rx" in entry || "tx" in entry || "nt" in entry))
    .map(({ t: _, ...fact }) => fact);
  assert.is(facts.length, 4);
  assert.equal(facts[0], { written: true });
  assert.equal(facts[1], { comparable: true });
  assert.equal([facts[2].thread, typeof facts[2].start], [process.pid, "number"]);
  assert.equal(facts[3], { targets: [{ name: "api", id: 1, isAlive: true }] });
});

recorder("a message comes back as it was, zeros at its end or not", () => {
  for (const length of [4, 16, 40, 4112]) {
    for (const last of [0, 7]) {
      const bytes = new Uint8Array(length);
      new DataView(bytes.buffer).setUint32(0, length, true);
      if (length > 4) bytes[length - 1] = last;
      assert.equal(unpackMessage(packMessage(bytes)), bytes);
    }
  }
  const page = new Uint8Array(4112);
  new DataView(page.buffer).setUint32(0, 4112, true);
  assert.is(packMessage(page), "EBA=", "the zeros take no room");
});

recorder("only its owner may read the file", async () => {
  await using kernel = new RecordedKernel();
  assert.is(statSync(kernel.path).mode & 0o777, 0o600);
});

recorder("a file that cannot be made is refused in one line", () => {
  assert.throws(
    () => new Recorder("/nowhere/recording", { warn() {} }),
    /^Cannot record to \/nowhere\/recording: no such directory; name another file$/,
  );
  assert.throws(() => new Recorder("/proc", { warn() {} }), /EISDIR/);
});

recorder("a full disk ends the recording with a warning, and nothing else", () => {
  const warnings: string[] = [];
  using full = new Recorder("/dev/full", { warn: (line) => warnings.push(line) });
  for (let i = 0; i < 3; i++) full.request(Uint8Array.of(4, 0, 0, 0));
  assert.equal(warnings, ["Cannot record to /dev/full: ENOSPC; the recording ends here"]);
});

recorder.run();
