import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type AddressInfo, createServer } from "node:net";
import type * as Koffi from "koffi";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ProcessReader } from "../../src/base/process_reader.ts";

const reader = suite("base/process_reader");

const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;

/** Child processes of this one. */
function children(): string[] {
  const tasks = readdirSync("/proc/self/task");
  return tasks.flatMap((tid) =>
    readFileSync(`/proc/self/task/${tid}/children`, "latin1").split(" ").filter(Boolean)
  );
}

/**
 * Has a page that it does not provide, as `userfaultfd(2)` permits, and prints its address.
 * `struct uffdio_api` begins with 0xaa, `struct uffdio_register` with the range and the mode "missing".
 */
const WITHHOLDING = `
import ctypes, mmap, struct, sys
libc = ctypes.CDLL(None)
page = mmap.mmap(-1, 4096)
at = ctypes.addressof(ctypes.c_char.from_buffer(page))
fd = libc.syscall(323, 0)
assert libc.ioctl(fd, ctypes.c_ulong(0xc018aa3f), struct.pack("QQQ", 0xaa, 0, 0)) == 0
assert libc.ioctl(fd, ctypes.c_ulong(0xc020aa00), struct.pack("QQQQ", at, 4096, 1, 0)) == 0
print(at, flush=True)
sys.stdin.read()
`;

reader("the memory of a thread is read whole, or not at all", async () => {
  await using subject = new ProcessReader();
  const memory = koffi.alloc("uint64_t", 2);
  koffi.encode(memory, koffi.array("uint64_t", 2), [1n, 0xfedcba9876543210n]);
  const at = koffi.address(memory);
  const found = await subject.readMemory(process.pid, { at, size: 16 });
  assert.equal([...new BigUint64Array(found!.buffer)], [1n, 0xfedcba9876543210n]);
  koffi.free(memory);
  assert.is(await subject.readMemory(process.pid, { at: 8n, size: 16 }), undefined);
  assert.is(await subject.readMemory(0x7fffffff, { at, size: 16 }), undefined);
});

reader("memory that never comes is given up, and keeps nobody else waiting", async () => {
  const child = spawn("/usr/bin/python3", ["-c", WITHHOLDING], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const at = BigInt(String((await once(child.stdout, "data"))[0]));
  const before = children();
  {
    await using subject = new ProcessReader({ patience: 300 });
    const stuck = Array.from(
      { length: 8 },
      () => subject.readMemory(child.pid!, { at, size: 8 }),
    );
    const { pid } = await subject.readProcess(process.pid);
    assert.is(pid, process.pid);
    assert.equal(await Promise.all(stuck), Array(8).fill(undefined));
    assert.is((await subject.readProcess(process.pid)).pid, process.pid, "another is asked");
  }
  assert.equal(children(), before, "what was stuck is killed");
  child.stdin.end();
  assert.equal(await once(child, "exit"), [0, null]);
});

reader("a process, its arguments and its listeners are told", async () => {
  await using subject = new ProcessReader();
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    assert.equal(await subject.listenersOf(process.pid), [{ address: "127.0.0.1", port }]);
    assert.is(await subject.listenerAt(port), process.pid);
    assert.is(await subject.whoListens(port), `pid ${process.pid} (node)`);
    assert.ok((await subject.commandLineOf(process.pid)).includes("process_reader_test"));
  } finally {
    server.close();
    await once(server, "close");
  }
  assert.is(await subject.listenerAt(port), undefined);
  const gone = await subject.readProcess(0x7fffffff).catch((error: Error) => error.message);
  assert.is(gone, "there is no such process");
});

reader.run();
