/** Files that a source map names: irregular ones, endless ones, and some that act when they are opened. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { MapError, readMapText } from "../../src/blocks/map_reader.ts";
import { placeBlocks } from "../../src/scripts/place_blocks.ts";
import { fuzz } from "./fuzzing.ts";
import { mutateText, shown } from "./mutate_text.ts";
import type { Random } from "./random.ts";

const files = suite("hostile, files that maps name");

let folder = "";
files.before(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), "kcovfs-hostile-"));
  fs.mkdirSync(path.join(folder, "sub"));
  fs.writeFileSync(path.join(folder, "a.map"), "{}");
  fs.writeFileSync(path.join(folder, "locked.map"), "{}", { mode: 0o000 });
  execFileSync("mkfifo", [path.join(folder, "pipe")]);
  fs.writeFileSync(path.join(folder, "huge.map"), "{");
  fs.truncateSync(path.join(folder, "huge.map"), 2 ** 40);
  fs.symlinkSync("loop", path.join(folder, "loop"));
  fs.symlinkSync("two", path.join(folder, "one"));
  fs.symlinkSync("one", path.join(folder, "two"));
  fs.symlinkSync("/dev/zero", path.join(folder, "zero"));
  fs.symlinkSync("pipe", path.join(folder, "to pipe"));
});
files.after(() => fs.rmSync(folder, { recursive: true }));

const NAMES = [
  ...[
    "a.map",
    "locked.map",
    "pipe",
    "to pipe",
    "huge.map",
    "loop",
    "one/x",
    "zero",
    "sub",
    "sub/../a.map",
  ],
  ...["/dev/zero", "/dev/null", "/dev/random", "/dev/tty", "/dev/stdin", "/dev/fd/0", "/dev/full"],
  ...["/proc/self/mem", "/proc/self/environ", "/proc/kmsg", "/proc/self/fd/0", "/proc/1/maps"],
  ...["/proc/self/fd/999", "/proc/self/cwd", "/sys/kernel/notes", "/", "../..", "../../etc/passwd"],
  ...[
    "x".repeat(5000),
    "a/".repeat(3000),
    "%00",
    "%2e%2e/a.map",
    "a%2fb",
    "\0",
    "?",
    "#",
    "//host/x",
  ],
];
const SCHEMES = [
  "",
  "",
  "file://",
  "file:",
  "data:,",
  "data:;base64,",
  "http://",
  "webpack://",
  "blob:",
];

interface Names {
  readonly mapUrl: string;
  readonly scriptUrl: string;
}

function randomUrl(random: Random): string {
  const name = random.pick(NAMES);
  const place = name.startsWith("/") || random.chance(20) ? name : `${folder}/${name}`;
  const url = random.pick(SCHEMES) + (random.chance(50) ? encodeURI(place) : place);
  return random.chance(20) ? mutateText(url, random) : url;
}

files("whatever a map's URL names is read at once, or refused in a line", () =>
  fuzz<Names>({
    name: "map files",
    ...{ reduced: 1000, full: 100_000 },
    make: (random) => ({
      mapUrl: randomUrl(random),
      scriptUrl: random.chance(70) ? `${folder}/sub/a.js` : randomUrl(random),
    }),
    check({ mapUrl, scriptUrl }) {
      const before = fs.readdirSync("/proc/self/fd").length;
      try {
        if (typeof readMapText(mapUrl, scriptUrl).text !== "string") throw new Error("no text");
      } catch (error) {
        if (!(error instanceof MapError)) throw error;
      }
      const left = fs.readdirSync("/proc/self/fd").length - before;
      if (left > 0) throw new Error(`${left} descriptors are left open`);
    },
    show: ({ mapUrl, scriptUrl }) => `${shown(mapUrl)} of ${shown(scriptUrl)}`,
  }));

const SOURCE = "function f() { return 1 }\nf();\n";
const TABLE = buildBlockTable(SOURCE);

files("whatever originals a map names, blocks have their places", () =>
  fuzz<readonly string[]>({
    name: "originals",
    ...{ reduced: 500, full: 50_000 },
    make: (random) => Array.from({ length: 1 + random.below(3) }, () => randomUrl(random)),
    check(sources) {
      const map = { version: 3, sources, names: [], mappings: "AAAA,SAAS,IAAI;AACA,CAAC" };
      const text = Buffer.from(JSON.stringify(map)).toString("base64");
      const mapUrl = `data:application/json;base64,${text}`;
      const { positions } = placeBlocks({ url: `${folder}/a.js`, source: SOURCE, mapUrl }, TABLE);
      if (positions.length !== 4 * TABLE.blockStart.length) throw new Error("no places");
    },
    show: (sources) => shown(sources.join("\n")),
  }));

files("what is no regular file is not even opened", async () => {
  const pipe = path.join(folder, "pipe");
  const script = 'echo waiting; exec 3> "$1"; echo opened';
  const writer = spawn("sh", ["-c", script, "sh", pipe], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  writer.stdout.setEncoding("utf8").on("data", (text: string) => said += text);
  const closed = once(writer, "close");
  while (!said.includes("waiting")) await later(10);
  // It waits until somebody opens the pipe to read.
  await later(200);
  for (const name of ["pipe", "to pipe"]) {
    const url = pathToFileURL(path.join(folder, name)).href;
    assert.throws(() => readMapText(url, ""), /no regular file$/);
  }
  await later(200);
  assert.is(said, "waiting\n");
  const reader = fs.openSync(pipe, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  await closed;
  fs.closeSync(reader);
  assert.is(said, "waiting\nopened\n");
});

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

files.run();
