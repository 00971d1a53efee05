import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Threads } from "../../src/base/threads.ts";
import { killed, startThread, threads as ownThreads } from "../kcov/device_world.ts";
import { until } from "../until.ts";
import { threadId } from "../../src/base/thread_id.ts";

const threads = suite("base/threads");

const NOBODY = (): void => {};

/** Notes an end. To wait for it keeps this process alive, and fails when no end is reported at all. */
class Ending {
  told = 0;
  readonly tell = (): void => void this.told++;

  async wait(): Promise<void> {
    await until(() => this.told > 0, "an end is told");
  }
}

const openFiles = (): number => readdirSync("/proc/self/fd").length;

for (const usesPidfds of [true, false]) {
  const how = usesPidfds ? "by its descriptor" : "by its start";
  const options = { usesPidfds, sweep: 1 };

  threads(`the end of a thread is told ${how}, once`, async () => {
    await using subject = new Threads(options);
    const { tid, end } = startThread();
    const ended = new Ending();
    const found = await subject.find(threadId(tid), ended.tell);
    assert.is(found!.tid, tid);
    await found!.look();
    assert.not(found!.hasEnded);
    await end();
    await ended.wait();
    assert.ok(found!.hasEnded);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.is(ended.told, 1);
    assert.is(await subject.find(threadId(tid), NOBODY), undefined);
  });

  threads(`an end is found out when it is asked for, ${how}`, async () => {
    await using subject = new Threads({ ...options, sweep: 1 << 30 });
    const { tid, end } = startThread();
    const found = await subject.find(threadId(tid), NOBODY);
    await end();
    await found!.look();
    assert.ok(found!.hasEnded);
  });

  threads(`a zombie has ended, ${how}`, async () => {
    await using subject = new Threads(options);
    // A `cat` that has another one as its child, and never waits for it.
    const command = 'cat <&3 & echo "$!"; exec cat 3<&-';
    const child = spawn("sh", ["-c", command], { stdio: ["pipe", "pipe", "ignore", "pipe"] });
    try {
      const [line] = await once(child.stdout!, "data");
      child.stdin!.write("x");
      await once(child.stdout!, "data");
      const zombie = Number(String(line));
      const ended = new Ending();
      assert.ok(await subject.find(threadId(zombie), ended.tell));
      (child.stdio[3] as Writable).end();
      await ended.wait();
      assert.ok(process.kill(zombie, 0), "it is still there");
      assert.is(await subject.find(threadId(zombie), NOBODY), undefined);
    } finally {
      await killed(child);
    }
  });

  threads(`a thread that is let go is told of no more, ${how}`, async () => {
    await using subject = new Threads(options);
    const { tid, end } = startThread();
    const found = await subject.find(threadId(tid), () => assert.unreachable());
    found![Symbol.dispose]();
    await end();
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  threads(`there is no thread 0, and none by an id that cannot be, ${how}`, async () => {
    await using subject = new Threads(options);
    for (const tid of [0, -1, 0x7fffffff, NaN]) {
      assert.is(await subject.find(threadId(tid), NOBODY), undefined, String(tid));
      assert.is(await subject.nameOf(threadId(tid)), undefined, String(tid));
    }
  });

  threads(`every thread of a process is found, and is of that process, ${how}`, async () => {
    await using subject = new Threads(options);
    const tids = ownThreads();
    assert.ok(tids.length > 1);
    const found = await Promise.all(tids.map((tid) => subject.find(threadId(tid), NOBODY)));
    assert.equal(found.map((thread) => thread!.tid), tids);
    assert.is(new Set(found.map((thread) => thread!.serial)).size, tids.length);
    const names = await Promise.all(tids.map((tid) => subject.nameOf(threadId(tid))));
    assert.ok(names.every((one) => one!.pid === process.pid && one!.name === names[0]!.name));
  });
}

threads("a hundred threads that end at once are all told of, and leave no descriptor", async () => {
  const before = openFiles();
  {
    await using subject = new Threads({ sweep: 1 << 30 });
    const all = Array.from({ length: 100 }, startThread);
    const ends = all.map(() => new Ending());
    await Promise.all(all.map(async ({ tid }, i) => {
      assert.ok(await subject.find(threadId(tid), ends[i].tell));
    }));
    await Promise.all(all.map(({ end }) => end()));
    await Promise.all(ends.map((ending) => ending.wait()));
  }
  assert.is(openFiles(), before);
});

threads("the first thread of a process has ended when it has, though others go on", async () => {
  await using subject = new Threads({ sweep: 1 });
  const program = "import ctypes, os, threading, time\n" +
    "threading.Thread(target=lambda: (os.write(1, b'x'), time.sleep(60)), daemon=True).start()\n" +
    "os.read(0, 1)\nctypes.CDLL(None).syscall(60, 0)\n";
  const child = spawn("/usr/bin/python3", ["-c", program], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await once(child.stdout, "data");
    const ended = new Ending();
    const found = await subject.find(threadId(child.pid!), ended.tell);
    assert.not(found!.hasEnded);
    child.stdin.write("x");
    await ended.wait();
    assert.is(child.exitCode, null, "the process lives");
  } finally {
    await killed(child);
  }
});

threads("a process is called what it calls itself, line ends and all", async () => {
  await using subject = new Threads();
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-client-"));
  const program = join(folder, "Tgid:\t1\n(x) y\n");
  copyFileSync("/bin/cat", program);
  chmodSync(program, 0o700);
  const child = spawn(program, { stdio: ["pipe", "pipe", "ignore"] });
  try {
    child.stdin.write("x");
    await once(child.stdout, "data");
    assert.equal(await subject.nameOf(threadId(child.pid!)), {
      pid: child.pid!,
      name: "Tgid:\t1\n(x) y\n",
    });
  } finally {
    await killed(child);
    rmSync(folder, { recursive: true });
  }
});

threads.run();
