import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SharedFolder } from "../../src/base/shared_folder.ts";

const shared = suite("shared_folder");

const MODULE = new URL("../../src/base/shared_folder.js", import.meta.url).href;

/** A tmpfs folder of this test's own, so that it sees no other server's. */
let place = "";
shared.before.each(() => {
  place = fs.mkdtempSync("/dev/shm/kcovfs-test-");
});
shared.after.each(() => fs.rmSync(place, { recursive: true }));

const permissions = (file: string) => fs.statSync(file).mode & 0o7777;

shared("anyone may go through it, and only its owner list it or make files in it", async () => {
  const before = process.umask(0o077);
  await using folder = await SharedFolder.make([place]);
  process.umask(before);
  assert.is(path.dirname(folder.path), place);
  assert.is(permissions(folder.path), 0o711);
});

shared("disposing of it removes it and what is in it, once", async () => {
  const folder = await SharedFolder.make([place]);
  fs.writeFileSync(path.join(folder.path, "file"), "");
  await folder[Symbol.asyncDispose]();
  assert.equal(fs.readdirSync(place), []);
  fs.mkdirSync(folder.path);
  await folder[Symbol.asyncDispose]();
  assert.ok(fs.existsSync(folder.path));
});

shared("it is in the first of the places that is in memory", async () => {
  await using folder = await SharedFolder.make(["/no/such/place", "/proc", place]);
  assert.is(path.dirname(folder.path), place);
});

shared("without a place in memory there is none, and the message names the places", async () => {
  await SharedFolder.make(["/no/such/place", "/proc"]).then(
    () => assert.unreachable(),
    (error) => {
      assert.is(
        error.message,
        "Cannot share memory: there is no tmpfs on /no/such/place or /proc",
      );
    },
  );
});

shared("what a killed process has left is removed by the next, what is in use is not", async () => {
  const program = `import { SharedFolder } from ${JSON.stringify(MODULE)};
    import { writeFileSync, writeSync } from "node:fs";
    const folder = await SharedFolder.make([process.argv[1]]);
    writeFileSync(folder.path + "/area", "words");
    writeSync(1, folder.path);
    setInterval(() => {}, 1e9);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, place], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  const theirs = String((await once(child.stdout, "data"))[0]);
  await using ours = await SharedFolder.make([place]);
  assert.ok(fs.existsSync(path.join(theirs, "area")));
  child.kill("SIGKILL");
  await exit;
  await using third = await SharedFolder.make([place]);
  assert.equal(
    fs.readdirSync(place).sort(),
    [ours.path, third.path].map((folder) => path.basename(folder)).sort(),
  );
});

shared("what another user or nobody could have made is left alone", async () => {
  const link = path.join(place, "kcovfs-shared-link");
  const elsewhere = fs.mkdtempSync(path.join(tmpdir(), "kcovfs-elsewhere-"));
  fs.symlinkSync(elsewhere, link);
  fs.mkdirSync(path.join(place, "kcovfs-shared-theirs"));
  fs.chownSync(path.join(place, "kcovfs-shared-theirs"), 1000, 1000);
  fs.mkdirSync(path.join(place, "kcovfs-shared-open"));
  fs.chmodSync(path.join(place, "kcovfs-shared-open"), 0o777);
  fs.writeFileSync(path.join(place, "kcovfs-shared-file"), "");
  fs.mkdirSync(path.join(place, "other"));
  const before = fs.readdirSync(place).sort();
  await (await SharedFolder.make([place]))[Symbol.asyncDispose]();
  assert.equal(fs.readdirSync(place).sort(), before);
  assert.ok(fs.existsSync(elsewhere));
  fs.rmSync(elsewhere, { recursive: true });
});

shared.run();
