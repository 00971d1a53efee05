import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, type Log, Session } from "../../src/fuse/mod.ts";
import { FakeKernel, turn } from "./fake_kernel.ts";
import { fromHex } from "./hex.ts";
import { EXCHANGES } from "./messages.ts";
import { fileHandle } from "../../src/fuse/ids.ts";

const debug = suite("fuse/session, debug lines");

const request = (name: string) => EXCHANGES.find((exchange) => exchange.name === name)!.request;

debug("a line a message: who asks what of which node, and the answer", async () => {
  const kernel = FakeKernel.started({
    open: () => ({ fh: fileHandle(1), open_flags: 4 }),
    lookup() {
      throw new Errno("ENOENT");
    },
    read: () => Promise.resolve(new Uint8Array(20).fill(0xab)),
    forget() {},
  }, { debug: true });
  for (const name of ["OPEN", "LOOKUP", "FORGET", "BATCH_FORGET", "STATFS"]) {
    kernel.send(request(name));
  }
  kernel.send(request("READ"));
  await turn();
  assert.equal(kernel.lines, [
    "rx 2: OPEN n7 {flags: 0x8002, open_flags: 0x1} p1234",
    "tx 2: OK {fh: 1, open_flags: 0x4}",
    'rx 2: LOOKUP n7 "kcov" p1234',
    "tx 2: ENOENT",
    "rx 2: FORGET n7 {nlookup: 3} p1234",
    "rx 2: BATCH_FORGET n7 [{nodeid: 7, nlookup: 1}, {nodeid: 8, nlookup: 2}] p1234",
    "rx 2: STATFS n7 p1234",
    "tx 2: ENOSYS",
    "rx 2: READ n7 {fh: 0x1020304050607, offset: 4294975488, size: 4096, read_flags: 0x2, " +
    "flags: 0x8002} p1234",
    `tx 2: OK 20b:${"ab".repeat(16)}...`,
  ]);
});

debug("an opcode without a name is shown by its number", () => {
  const kernel = FakeKernel.started({}, { debug: true });
  kernel.send(request("READLINK").replace("05000000", "63000000"));
  assert.equal(kernel.lines, ["rx 2: opcode 99 n7 p1234", "tx 2: ENOSYS"]);
});

debug("nothing is formatted while the log is off, and it may be turned on at any time", () => {
  let looked = 0;
  const output = {
    get fh() {
      looked++;
      return fileHandle(1);
    },
    open_flags: 0,
  };
  const lines: string[] = [];
  const state = { enabled: false };
  const log = Object.defineProperty(
    (line: string) => lines.push(line),
    "enabled",
    {
      get: () => state.enabled,
    },
  ) as unknown as Log;
  const session = new Session({ open: () => output }, { reply() {}, log });
  session.receive(fromHex(request("INIT")));
  session.receive(fromHex(request("OPEN")));
  assert.equal([looked, lines], [1, []], "encoding the answer looks at it once");
  state.enabled = true;
  session.receive(fromHex(request("OPEN")));
  assert.ok(looked > 2, "formatting it looks, too");
  assert.is(lines.length, 2);
});

debug("a session without a log and without warnings serves too", () => {
  const replies: number[] = [];
  const session = new Session({ access() {} }, { reply: (bytes) => replies.push(bytes.length) });
  session.receive(fromHex(request("INIT")));
  session.receive(fromHex(request("ACCESS")));
  session.receive(new Uint8Array(3));
  assert.equal(replies, [80, 16]);
});

debug.run();
