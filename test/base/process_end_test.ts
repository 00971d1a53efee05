import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ProcessEnd } from "../../src/base/process_end.ts";

const end = suite("base/process_end");

/** A process that waits for its input to end, or for a signal. */
async function waiting(script = ""): Promise<ChildProcess> {
  const child = spawn("sh", ["-c", `echo up; read line; ${script}`], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  await once(child.stdout!, "data");
  return child;
}

end("the signal that has ended a process is told, also once its parent knows", async () => {
  for (const signal of ["SIGKILL", "SIGTERM", "SIGSEGV"] as const) {
    const child = await waiting();
    using process = ProcessEnd.watch(child.pid!)!;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
    assert.is(await process.signal(), signal);
    assert.is(await process.signal(), signal);
  }
});

end("that of a process whose parent never asks is not waited for without end", async () => {
  // The parent never asks: it has become another program.
  const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec cat"]);
  const [line] = await once(parent.stdout, "data");
  const pid = Number(line);
  const isCat = once(parent.stdout, "data");
  parent.stdin.write("cat\n");
  await isCat;
  try {
    using ended = ProcessEnd.watch(pid)!;
    process.kill(pid, "SIGABRT");
    assert.is(await ended.signal(), undefined);
    assert.match(readFileSync(`/proc/${pid}/stat`, "latin1"), /\) Z /);
  } finally {
    parent.kill("SIGKILL");
  }
});

end("a process that ends by itself has no signal, whatever its status", async () => {
  const child = await waiting("exit 9");
  using process = ProcessEnd.watch(child.pid!)!;
  const exited = once(child, "exit");
  child.stdin!.end("go\n");
  await exited;
  assert.is(await process.signal(), undefined);
});

end("of one that lives on nothing is said", async () => {
  const child = await waiting();
  using process = ProcessEnd.watch(child.pid!)!;
  assert.is(await process.signal(), undefined);
  child.kill("SIGKILL");
});

end("there is nothing to watch of a process that there is not", () => {
  assert.is(ProcessEnd.watch(2 ** 22 + 1), undefined);
});

end.run();
