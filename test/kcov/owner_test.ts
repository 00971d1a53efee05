import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Writable } from "node:stream";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findOwner, isAlive } from "../../src/kcov/owner.ts";
import { startThread, threads } from "./device_world.ts";

const owner = suite("kcov/owner");

owner("every thread is one of its own, and lives until it ends", async () => {
  const owners = threads().map((tid) => findOwner(tid));
  assert.ok(owners.length > 1 && owners.every((found) => found && isAlive(found)));
  assert.equal(owners.map((found) => found!.tid), threads());
  const thread = startThread();
  const found = findOwner(thread.tid)!;
  assert.ok(isAlive(found) && found.startTime > 0);
  await thread.end();
  assert.not(isAlive(found));
  assert.is(findOwner(thread.tid), undefined);
});

owner("a thread that has the id of one that ended is another", () => {
  const found = findOwner(process.pid)!;
  assert.not(isAlive({ ...found, startTime: found.startTime - 1 }));
});

owner("there is no thread 0, and none by an id that cannot be", () => {
  for (const tid of [0, -1, 0x7fffffff]) assert.is(findOwner(tid), undefined, String(tid));
});

owner("a zombie is dead", async () => {
  // A `cat` that has another as its child, and never waits for it.
  const command = 'cat <&3 & echo "$!"; exec cat 3<&-';
  const child = spawn("sh", ["-c", command], { stdio: ["pipe", "pipe", "ignore", "pipe"] });
  try {
    const [line] = await once(child.stdout!, "data");
    child.stdin!.write("x");
    await once(child.stdout!, "data");
    const zombie = Number(String(line));
    assert.ok(isAlive(findOwner(zombie)!));
    (child.stdio[3] as Writable).end();
    while (findOwner(zombie)) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(process.kill(zombie, 0), "it is still there");
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

owner("a command's name may hold parentheses, and what looks like other fields", () => {
  const { title } = process;
  const found = findOwner(process.pid);
  try {
    for (const name of ["a) Z 1 (", ") X", "a b c", "()", "))"]) {
      process.title = name;
      assert.ok(readFileSync(`/proc/${process.pid}/stat`, "latin1").includes(`(${name})`));
      assert.equal(findOwner(process.pid), found, name);
    }
  } finally {
    process.title = title;
  }
});

owner.run();
