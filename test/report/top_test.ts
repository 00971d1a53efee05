import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatTop } from "../../src/report/top.ts";
import { BEFORE, direct, NOW } from "./snapshots.ts";
import { nodeId } from "../../src/fuse/ids.ts";

const top = suite("report/top");

const INTERVAL = { before: BEFORE, now: NOW };
const SUMMARY = [
  "kcovfs 0.1.0, pid 4711, up 1:02:12, collector v8",
  "executions 412/s (4623 in all), new blocks 24.0/min (1204 in all)",
  "faults 420/s; of one: collecting 2.10 ms, answering 0.03 ms, holding 0.20 ms",
];

top("without a terminal all that is known is there", () => {
  assert.equal(formatTop(INTERVAL, { columns: Infinity, rows: Infinity }), [
    ...SUMMARY,
    "",
    "ID  TARGET                 PID  RUNTIME        COLLECTOR  HOLD  SCRIPTS  BLOCKS  STATE",
    " 1  api                   4321  node v20.20.2  v8         gate       12    3456  running",
    " 2  api.resize-worker.js  4321  node v20.20.2  v8         gate       12    3456  " +
    "late (no answer within 5 ms)",
    "",
    "  ID  CLIENT     PID  OWNER  STATE    TARGETS                     AREA  FULL     PCS  " +
    "EXECS  EXECS/S  COLLECT  ANSWER  HOLD",
    "1001  my-fuzzer  815    816  enabled  all                     32/65536     2  140936  " +
    " 4423      412     2.10    0.03  0.20",
    "1007  -            -      -  opened   api.resize-worker.js,9         -     0       0  " +
    "    0        -        -       -     -",
  ]);
});

top("80 columns show what matters most", () => {
  assert.equal(formatTop(INTERVAL, { columns: 80, rows: 24 }), [
    ...SUMMARY,
    "",
    "ID  TARGET                 PID  HOLD  SCRIPTS  BLOCKS  STATE",
    " 1  api                   4321  gate       12    3456  running",
    " 2  api.resize-worker.js  4321  gate       12    3456  late (no answer wit~",
    "",
    "  ID  CLIENT     PID  STATE        AREA  FULL     PCS  EXECS  EXECS/S",
    "1001  my-fuzzer  815  enabled  32/65536     2  140936   4423      412",
    "1007  -            -  opened          -     0       0      0        -",
  ]);
});

top("120 columns show how the time of a client's faults is spent", () => {
  assert.equal(formatTop(INTERVAL, { columns: 120, rows: 24 }).slice(-3), [
    "  ID  CLIENT     PID  STATE    TARGETS                   AREA  FULL     PCS  EXECS  " +
    "EXECS/S  COLLECT  ANSWER  HOLD",
    "1001  my-fuzzer  815  enabled  all                   32/65536     2  140936   4423  " +
    "    412     2.10    0.03  0.20",
    "1007  -            -  opened   api.resize-worker.j~         -     0       0      0  " +
    "      -        -       -     -",
  ]);
});

top("in 60 columns the head is whole, on more lines", () => {
  const head = (interval: Parameters<typeof formatTop>[0]) => {
    const lines = formatTop(interval, { columns: 60, rows: 24 });
    return lines.slice(0, lines.indexOf(""));
  };
  assert.equal(head(INTERVAL), [
    "kcovfs 0.1.0, pid 4711, up 1:02:12, collector v8",
    "executions 412/s (4623 in all),",
    "new blocks 24.0/min (1204 in all)",
    "faults 420/s; of one: collecting 2.10 ms,",
    "answering 0.03 ms, holding 0.20 ms",
  ]);
  assert.equal(head({ before: direct(BEFORE), now: direct(NOW) }).slice(-2), [
    "probes write into clients' memory:",
    "--no-passthrough counts executions and PCs, too",
  ]);
});

top("with colours headings, what is late and what is idle stand out, and nothing else", () => {
  const size = { columns: 80, rows: 24 };
  const plain = formatTop(INTERVAL, size);
  const coloured = formatTop(INTERVAL, { ...size, hasColors: true });
  // deno-lint-ignore no-control-regex
  const marks = coloured.map((line) => /^\x1b\[(\d+)m(.*)\x1b\[0m$/.exec(line)?.[1]);
  assert.equal(
    plain.flatMap((line, i) => marks[i] ? [`${marks[i]} ${line.trim().split(" ")[0]}`] : []),
    ["1 kcovfs", "1 ID", "33 2", "1 ID", "2 1007"],
  );
  // deno-lint-ignore no-control-regex
  assert.equal(coloured.map((line) => line.replace(/\x1b\[\d+m/g, "")), plain);
});

top("at the start there is no rate yet", () => {
  const lines = formatTop({ now: NOW }, { columns: 80, rows: 24 });
  assert.equal(lines.slice(1, 3), [
    "executions -/s (4623 in all), new blocks -/min (1204 in all)",
    "faults -/s; of one: collecting -, answering -, holding -",
  ]);
  assert.match(lines[9], / 140936 +4423 +-$/);
});

top("new blocks are those of the last minute, where that is known", () => {
  const minuteAgo = { ...BEFORE, uptime: NOW.uptime - 60, coveredBlocks: 1100 };
  const lines = formatTop({ ...INTERVAL, minuteAgo }, { columns: 80, rows: 24 });
  assert.match(lines[1], /, new blocks 104\/min \(1204 in all\)$/);
});

top("where clients map what targets write, what nobody sees is not made up", () => {
  const { counts: _, ...full } = { ...NOW.instances[0], id: nodeId(1010), count: 65535 };
  const now = direct({ ...NOW, instances: [...NOW.instances, full] });
  const lines = formatTop({ before: direct(BEFORE), now }, { columns: 95, rows: 24 });
  assert.equal(lines.slice(0, 3), [
    "kcovfs 0.1.0, pid 4711, up 1:02:12, collector trace",
    "executions -, new blocks 24.0/min (1204 in all)",
    "probes write into clients' memory: --no-passthrough counts executions and PCs, too",
  ]);
  assert.equal(lines.slice(-4), [
    "  ID  CLIENT     PID  STATE    TARGETS                      AREA  FULL  PCS  EXECS  EXECS/S",
    "1001  my-fuzzer  815  enabled  all                      32/65536     -    -      -        -",
    "1007  -            -  opened   api.resize-worker.j~            -     -    -      -        -",
    "1010  my-fuzzer  815  enabled  all                   65535/65536   now    -      -        -",
  ]);
});

top("what there is no room for is counted", () => {
  const instances = Array.from(
    { length: 40 },
    (_, i) => ({ ...NOW.instances[0], id: nodeId(2000 + i) }),
  );
  const lines = formatTop({ now: { ...NOW, instances } }, { columns: 80, rows: 24 });
  assert.is(lines.length, 24);
  assert.match(lines[5], /^ 1 {2}api /, "targets are few");
  assert.match(lines[22], /^2013 /);
  assert.is(lines[23], "26 more");
});

top("no line is longer than the terminal, and there are no more than it has", () => {
  for (let columns = 1; columns <= 160; columns++) {
    for (let rows = 1; rows <= 16; rows++) {
      const lines = formatTop(INTERVAL, { columns, rows, hasColors: rows % 2 === 0 })
        // deno-lint-ignore no-control-regex
        .map((line) => line.replace(/\x1b\[\d+m/g, ""));
      assert.ok(lines.length <= rows, `${lines.length} lines in ${rows}`);
      const longest = Math.max(...lines.map(({ length }) => length));
      assert.ok(longest <= columns, `${longest} characters in ${columns}`);
    }
  }
});

top("a client's name does nothing to the terminal", () => {
  const client = { pid: 1, name: "\x1b[2J\n\x9bé\u{1f600}" };
  const instances = [{ ...NOW.instances[0], client }];
  const lines = formatTop({ now: { ...NOW, instances } }, { columns: 80, rows: 24 });
  assert.match(lines.at(-1)!, /^1001 {2}\?\[2J\?\?\?\? {2}/);
});

top.run();
