import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findClient } from "../../src/kcov/client.ts";
import { threads } from "./device_world.ts";

const client = suite("kcov/client");

client("all threads of a process are the same client", () => {
  const found = threads().map(findClient);
  assert.ok(found.length > 1);
  assert.ok(found.every((one) => one!.pid === process.pid && one!.name === found[0]!.name));
});

client("a process is called what it calls itself, line ends and all", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-client-"));
  const program = join(folder, "Tgid:\t1\n(x) y\n");
  copyFileSync("/bin/cat", program);
  chmodSync(program, 0o700);
  const child = spawn(program, { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.write("x");
  await once(child.stdout, "data");
  try {
    assert.equal(findClient(child.pid!), { pid: child.pid!, name: "Tgid:\t1\n(x) y\n" });
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
    rmSync(folder, { recursive: true });
  }
});

client("nobody is there by an id that no thread has", () => {
  for (const tid of [0, -1, 0x7fffffff]) assert.is(findClient(tid), undefined);
});

client.run();
