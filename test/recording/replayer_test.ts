import { appendFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Entry, packMessage, unpackMessage } from "../../src/recording/entry.ts";
import { readRecording } from "../../src/recording/read_recording.ts";
import { type Findings, Replayer } from "../../src/recording/replayer.ts";
import { RecordedKernel } from "./recorded_kernel.ts";

const replayer = suite("recording/replayer");

interface Replayed {
  readonly findings: Findings;
  readonly lines: string[];
  readonly news: string[];
  readonly isCut: boolean;
}

async function replay(path: string, patience = 5000): Promise<Replayed> {
  const lines: string[] = [];
  const news: string[] = [];
  const print = (line: string, isNews: boolean) => void (isNews ? news : lines).push(line);
  const recording = await readRecording(path);
  const findings = await new Replayer({ print, patience }).replay(recording);
  return { findings, lines, news, isCut: recording.isCut };
}

/** The index of the line that has the n-th reply, from 0 on. */
function replyLine(kernel: RecordedKernel, n: number): number {
  return [...kernel.lines().entries()].filter(([, line]) => line.includes('"tx"'))[n][0];
}

replayer("what was recorded is answered the same, and shown as the debug log does", async () => {
  await using kernel = new RecordedKernel();
  await kernel.converse();
  const { findings, lines, news, isCut } = await replay(kernel.path);
  assert.equal(findings, { requests: 11, same: 10, different: 0, uncompared: 1 });
  assert.equal([news, isCut], [[], false]);
  const text = lines.map((line) => line.replace(/^ +\d+\.\d{3} /, "").replace(/ p\d+$/, ""));
  assert.is(text[0], "rx 2: INIT n0 {major: 7, minor: 45}");
  assert.equal(text.slice(4, 12), [
    "rx 6: OPEN n1001 {flags: 0x2}",
    "tx 6: OK {open_flags: 0x2}",
    "rx 8: IOCTL n1001 {cmd: 0x80086301, arg: 512, out_size: 8}",
    "nt 1: STORE n1001 {offset: 4088, size: 8} 8b:0000000000000000",
    "nt 1: OK",
    "tx 8: OK",
    "rx 10: IOCTL n1001 {cmd: 0x6364}",
    "tx 10: OK",
  ]);
  assert.ok(text.includes("tx 12: OK 4096b:030000000000000008000000ffffffff..."), text.join("\n"));
});

replayer("a reply that is another than it was is shown beside it", async () => {
  await using kernel = new RecordedKernel();
  await kernel.converse();
  // KCOV_ENABLE succeeded; pretend that it was refused.
  const at = replyLine(kernel, 4);
  kernel.rewrite((line, i) => {
    if (i !== at) return line;
    const entry = JSON.parse(line) as { tx: string };
    const bytes = unpackMessage(entry.tx);
    new DataView(bytes.buffer).setInt32(16, -16, true);
    return JSON.stringify({ ...entry, tx: packMessage(bytes) });
  });
  const { findings, lines, news } = await replay(kernel.path);
  assert.equal(findings, { requests: 11, same: 9, different: 1, uncompared: 1 });
  assert.ok(lines.some((line) => line.endsWith(" tx 10: OK {result: -16}")));
  assert.equal(news, ["   but now tx 10: OK"]);
});

replayer("a thread that had ended is told from one that calls", async () => {
  await using kernel = new RecordedKernel();
  await kernel.converse();
  kernel.rewrite((line) => {
    const entry = JSON.parse(line) as Entry;
    return "thread" in entry ? JSON.stringify({ ...entry, start: null }) : line;
  });
  // Without an owner KCOV_ENABLE is EINVAL, and so is KCOV_DISABLE.
  const { findings, news } = await replay(kernel.path);
  assert.equal(news, [
    "   but now tx 10: OK {result: -22}",
    "   but now tx 14: OK {result: -22}",
  ]);
  assert.is(findings.different, 2);
});

replayer(
  "a thread that is asked about before it is told of is who it turns out to be",
  async () => {
    await using kernel = new RecordedKernel();
    await kernel.converse();
    const told = kernel.lines().find((line) => line.includes('"thread"'))!;
    // After the answer to KCOV_ENABLE; KCOV_DISABLE asks about the thread again.
    const at = replyLine(kernel, 4);
    kernel.rewrite((line, i) => i === at ? `${line}\n${told}` : line === told ? "{}" : line);
    const { findings, news } = await replay(kernel.path);
    assert.equal([findings.same, news], [10, []]);
  },
);

replayer("a recording whose last line is cut is replayed up to it", async () => {
  await using kernel = new RecordedKernel();
  await kernel.converse();
  appendFileSync(kernel.path, '{"t":99.1,"rx":"aAAAAB');
  const { findings, isCut } = await replay(kernel.path);
  assert.equal([findings.same, findings.different, isCut], [10, 0, true]);
});

replayer("what the server did not live to say is said, and is no difference", async () => {
  await using kernel = new RecordedKernel();
  await kernel.converse();
  const at = replyLine(kernel, 10);
  kernel.rewrite((line, i) => i === at ? JSON.stringify({ t: 1, comparable: true }) : line);
  const { findings, news } = await replay(kernel.path);
  assert.equal([findings.same, findings.different], [9, 0]);
  assert.equal(news, [" no record tx 22: OK"]);
});

/** KCOV_REMOTE_ENABLE of node 1001, as request 90, with a handle that is in the caller's memory. */
function remoteEnable(): Uint8Array {
  const message = Buffer.alloc(96);
  for (const [at, value] of [[0, 96], [4, 39], [8, 90], [16, 1001], [32, process.pid]]) {
    message.writeUInt32LE(value, at);
  }
  message.writeUInt32LE(0x40186366, 52);
  message.writeUInt32LE(24, 64);
  message.writeUInt32LE(1, 80);
  return message;
}

replayer("a reply that does not come, and one to no request, are differences", async () => {
  await using kernel = new RecordedKernel();
  await kernel.converse();
  const reply = (unique: number) => Uint8Array.of(16, 0, 0, 0, 0, 0, 0, 0, unique, ...Array(7));
  const line = (entry: object) => JSON.stringify({ t: 1, ...entry });
  // No line has the contents of the memory.
  const added = [
    line({ rx: packMessage(remoteEnable()) }),
    line({ tx: packMessage(reply(90)) }),
    line({ tx: packMessage(reply(92)) }),
  ];
  const at = replyLine(kernel, 3);
  kernel.rewrite((line, i) => i === at ? [line, ...added].join("\n") : line);
  const { news } = await replay(kernel.path, 50);
  assert.equal(news.slice(0, 2), [
    "   but now no reply in 50 ms",
    "   but now there is no such request",
  ]);
});

const REFUSED: [string, string, RegExp][] = [
  ["a text", "hello\n", /^Cannot replay \S+: it is no recording; make one with/],
  ["an empty file", "", /it is no recording/],
  ["JSON of another kind", "[1]\n", /it is no recording/],
  [
    "a newer format",
    '{"recording":"kcovfs","format":99,"version":"9.0.0"}\n',
    /it is of format 99, written by kcovfs 9\.0\.0;/,
  ],
  [
    "a first line that lacks what a server is",
    '{"recording":"kcovfs","format":1,"version":"0.1.0","files":null}\n',
    /its first line is damaged: [a-z]/,
  ],
];

for (const [what, content, reason] of REFUSED) {
  replayer(`${what} is refused in one line`, async () => {
    await using kernel = new RecordedKernel();
    writeFileSync(kernel.path, content);
    await readRecording(kernel.path).then(
      () => assert.unreachable(),
      (error: Error) => assert.match(error.message, reason),
    );
  });
}

replayer("a damaged line is named, unless it is the last", async () => {
  await using kernel = new RecordedKernel();
  await kernel.converse();
  const damages: [string, RegExp][] = [
    ['{"t":1,"rx', /line 4 is damaged/],
    ['{"t":1,"rx":5}', /line 4 is damaged/],
    ['{"rx":"KAAAAA=="}', /line 4 is damaged/],
    ['{"t":1,"nt":1}', /line 4 is damaged/],
    ['{"t":1,"targets":[null]}', /line 4 is damaged/],
    ['{"t":1,"memory":"0x1","tid":1,"bytes":1}', /line 4 is damaged/],
    ['{"t":1,"future":1}', /^$/],
    ['{"t":1,"rx":"////"}', /^Cannot replay line 4: a message is damaged; is the file damaged\?$/],
    ['{"t":1,"rx":"/////w=="}', /^Cannot replay line 4: a message is damaged/],
    ['{"t":1,"rx":"KAAAAA=="}', /^$/],
  ];
  for (const [damage, reason] of damages) {
    const whole = kernel.lines();
    kernel.rewrite((line, i) => i === 3 ? damage : line);
    const message = await replay(kernel.path, 20).then(() => "", (error: Error) => error.message);
    assert.match(message, reason, damage);
    writeFileSync(kernel.path, whole.map((line) => `${line}\n`).join(""));
  }
});

replayer.run();
