import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  hasInspectOption,
  listenersOf,
  parseListeners,
  parseStatus,
  readProcess,
  whoListens,
} from "../../src/base/process_facts.ts";

const facts = suite("base/process_facts");

const STATUS = `Name:\tnode
Umask:\t0022
State:\tS (sleeping)
Pid:\t4711
Uid:\t1000\t1000\t1000\t1000
SigIgn:\t0000000000001000
SigCgt:\t0000000108014202
`;

facts("the state, the user and the caught signals are read from a status", () => {
  const { state, uid, caught } = parseStatus(STATUS);
  assert.equal([state, uid], ["S", 1000]);
  assert.is(caught, 0x108014202n);
  const setuid = STATUS.replace("1000\t1000", "1000\t0");
  assert.is(parseStatus(setuid).uid, 0, "whoever has other rights is not its starter's");
  // SIGUSR1 is 10, so bit 9.
  assert.is(caught >> 9n & 1n, 1n);
});

facts("listening sockets are read from the kernel's tables", () => {
  const tcp =
    `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:240D 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 70223 1 0000000000000000 100 0 0 10 0
   1: 0100007F:240D 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 70224 1 0000000000000000 20 4 30 10 -1
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 70225 1 0000000000000000 100 0 0 10 0
`;
  assert.equal(parseListeners(tcp), [
    { address: "127.0.0.1", port: 9229, inode: "70223" },
    { address: "0.0.0.0", port: 80, inode: "70225" },
  ]);
  const tcp6 = `  sl  local_address remote_address st
   0: 00000000000000000000000001000000:240D 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0
   1: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 98 1 0
`;
  assert.equal(parseListeners(tcp6), [
    { address: "::1", port: 9229, inode: "99" },
    { address: "2001:db8::1", port: 80, inode: "98" },
  ]);
  assert.equal(parseListeners(""), []);
});

facts("an inspector is expected where the arguments or NODE_OPTIONS ask for one", () => {
  const yes: [string, string][] = [
    ["node\0--inspect\0a.js\0", ""],
    ["node\0--inspect-brk=0\0a.js\0", ""],
    ["node\0a.js\0", "HOME=/\0NODE_OPTIONS=--max-http-header-size=9 --inspect=1234\0"],
  ];
  const no: [string, string][] = [
    ["node\0a.js\0", ""],
    ["node\0--inspect-port=1234\0a.js\0", "HOME=/\0"],
    ["node\0a.js\0", "OTHER_NODE_OPTIONS=--inspect\0"],
  ];
  for (const [cmdline, environ] of yes) assert.ok(hasInspectOption(cmdline, environ), cmdline);
  for (const [cmdline, environ] of no) assert.not(hasInspectOption(cmdline, environ), cmdline);
});

facts("this process is found, with its sockets", async () => {
  const { pid, program, handlesSigusr1, sharesNetwork } = await readProcess(process.pid);
  assert.equal([pid, program, handlesSigusr1, sharesNetwork], [process.pid, "node", true, true]);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  assert.equal(await listenersOf(process.pid), [{ address: "127.0.0.1", port }]);
  assert.is(await whoListens(port), `pid ${process.pid} (node)`);
  server.close();
  await once(server, "close");
  assert.equal(await listenersOf(process.pid), []);
  assert.is(await whoListens(port), undefined);
});

facts("a process that has ended is not there", async () => {
  const { pid } = spawnSync(process.execPath, ["-e", "0"]);
  const reason = await readProcess(pid).catch((error: Error) => error.message);
  assert.is(reason, "there is no such process");
  assert.equal(await listenersOf(pid), []);
});

facts.run();
