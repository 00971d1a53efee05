import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JobThread, ThreadStartError } from "../../src/base/job_thread.ts";

const jobs = suite("job_thread");

/** A module that answers requests as they order. */
const MODULE = new URL(`data:text/javascript,${
  encodeURIComponent(`
  import { openSync } from "node:fs";
  import { parentPort, workerData, threadId } from "node:worker_threads";
  parentPort.on("message", ({ id, request }) => {
    if (request.startsWith?.("/")) openSync(request);
    if (request === "die") throw new Error("it died");
    if (request === "exit") process.exit(3);
    if (request === "nap") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
    if (request === "sleep") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    if (request === "deep") { const f = (n) => n === 0 ? 0 : 1 + f(n - 1); request = f(100000); }
    parentPort.postMessage({ id, reply: { request, workerData, threadId } });
  });
  parentPort.postMessage("loaded");
`)
}`);

interface Reply {
  readonly request: string | number;
  readonly workerData: string;
  readonly threadId: number;
}

function made(): JobThread<string, Reply> {
  return new JobThread({ module: MODULE, name: "jobs", job: "do a job", stackSize: 64 });
}

async function rejection(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => assert.unreachable("it was fulfilled"), (error) => error);
  return (error as Error).message;
}

jobs("each job is answered, by one thread that knows its name", async () => {
  await using subject = made();
  const replies = await Promise.all(["a", "b", "c"].map((request) => subject.run(request)));
  assert.equal(replies.map(({ request, workerData }) => request + workerData), [
    ...["ajobs", "bjobs", "cjobs"],
  ]);
  assert.is(new Set(replies.map(({ threadId }) => threadId)).size, 1);
});

jobs("one that was started does its first job on the thread that is there", async () => {
  await using subject = made();
  await subject.start();
  await subject.start();
  const [{ threadId }, again] = await Promise.all([subject.run("a"), subject.run("b")]);
  assert.is(threadId, again.threadId);
});

jobs("a thread that cannot start is no job's fault, and is tried again at the next", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-test-"));
  const file = join(folder, "jobs.mjs");
  await using subject = new JobThread<string, Reply>({
    module: pathToFileURL(file),
    ...{ name: "jobs", job: "do a job", stackSize: 4 },
  });
  const works = [subject.start(), subject.run("a"), subject.run("b", { limit: 60_000 })];
  for (const { reason } of await Promise.allSettled(works) as PromiseRejectedResult[]) {
    assert.instance(reason, ThreadStartError);
    assert.match(reason.message, /^Cannot do a job: no thread starts: .*jobs\.mjs/);
  }
  writeFileSync(file, decodeURIComponent(MODULE.href.slice(MODULE.href.indexOf(",") + 1)));
  assert.is((await subject.run("c")).request, "c");
  rmSync(folder, { recursive: true });
});

jobs("its stack is as large as it is to be", async () => {
  await using subject = made();
  assert.is((await subject.run("deep")).request, 100_000);
});

for (const death of ["die", "exit"]) {
  jobs(`a job that has the thread ${death} fails alone, the others go to a new one`, async () => {
    await using subject = made();
    const before = await subject.run("before");
    const dying = subject.run(death);
    const waiting = ["a", "b"].map((request) => subject.run(request));
    assert.is(
      await rejection(dying),
      death === "die" ? "it died" : "Cannot do a job: its thread ended",
    );
    const replies = await Promise.all(waiting);
    assert.equal(replies.map(({ request }) => request), ["a", "b"]);
    assert.ok(replies.every(({ threadId }) => threadId !== before.threadId));
  });
}

jobs("a job that takes longer than it may fails alone, the others go to a new thread", async () => {
  await using subject = made();
  const before = await subject.run("before", { limit: 60_000 });
  const late = rejection(subject.run("sleep", { limit: 50 }));
  const waiting = ["a", "b"].map((request) => subject.run(request, { limit: 60_000 }));
  assert.is(await late, "Cannot do a job: its thread took too long");
  const replies = await Promise.all(waiting);
  assert.equal(replies.map(({ request }) => request), ["a", "b"]);
  assert.ok(replies.every(({ threadId }) => threadId !== before.threadId));
});

jobs("a job's time begins when the thread does it", async () => {
  await using subject = made();
  const first = subject.run("nap");
  const second = subject.run("a", { limit: 1500 });
  assert.equal([(await first).request, (await second).request], ["nap", "a"]);
});

jobs("a thread that died when it had nothing to do is replaced at the next job", async () => {
  await using subject = made();
  await rejection(subject.run("die"));
  assert.is((await subject.run("after")).request, "after");
});

jobs("what is under way when it is disposed of is rejected, and what comes after", async () => {
  const subject = made();
  assert.not(subject.isDisposed);
  const pending = subject.run("a");
  await subject[Symbol.asyncDispose]();
  assert.ok(subject.isDisposed);
  const message = "Cannot do a job: its thread was ended";
  assert.equal([await rejection(pending), await rejection(subject.run("b"))], [message, message]);
  await subject[Symbol.asyncDispose]();
});

/** The beginning of a program with a {@linkcode JobThread} of its own. */
const PROGRAM = `
  import { JobThread } from ${
  JSON.stringify(new URL("../../src/base/job_thread.js", import.meta.url).href)
};
  const module = new URL(${JSON.stringify(MODULE.href)});
  const subject = new JobThread({ module, name: "jobs", job: "do a job", stackSize: 4 });`;

/** Runs a program to its end, after this beginning. */
function execute(program: string): { status: number | null; stdout: string } {
  const args = ["--input-type=module", "-e", PROGRAM + program];
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  return { status, stdout };
}

jobs("a process ends without a thread that waits for a file for ever", () => {
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-test-"));
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const { status, stdout } = execute(`
    subject.run(${JSON.stringify(pipe)}, { limit: 200 }).catch(async ({ message }) => {
      console.log(message, (await subject.run("next")).request);
      await subject[Symbol.asyncDispose]();
      process.exitCode = 3;
    });`);
  rmSync(folder, { recursive: true });
  assert.equal([status, stdout], [3, "Cannot do a job: its thread took too long next\n"]);
});

jobs("it keeps a process alive while it has a job, and not after", () => {
  const { status, stdout } = execute(
    'subject.run("a").then(({ request }) => console.log(request));',
  );
  assert.equal([status, stdout], [0, "a\n"]);
});

jobs("a process whose last answer comes while it is disposed of does not end before that", () => {
  const { status, stdout } = execute(`
    await subject.run("a");
    subject.run("b").catch(() => {});
    // Meanwhile the answer comes, and waits to be received.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    await subject[Symbol.asyncDispose]();
    console.log("disposed of");`);
  assert.equal([status, stdout], [0, "disposed of\n"]);
});

jobs.run();
