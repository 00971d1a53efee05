import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findAbandoned, LockedFolder, removeAbandoned } from "../../src/base/locked_folder.ts";

const locked = suite("base/locked_folder");

const MODULE = new URL("../../src/base/locked_folder.js", import.meta.url).href;
const KIND = { name: /^ours-/ };

let place = "";
locked.before.each(() => {
  place = fs.mkdtempSync(path.join(tmpdir(), "kcovfs-locked-"));
});
locked.after.each(() => fs.rmSync(place, { recursive: true }));

const make = () => LockedFolder.make(path.join(place, "ours-"));

for (const umask of [0, 0o022, 0o777]) {
  locked(
    `with the umask ${umask.toString(8)} only its owner can use it`,
    async () => {
      const before = process.umask(umask);
      try {
        await using folder = make();
        assert.is(fs.statSync(folder.path).mode & 0o7777, 0o700);
        fs.writeFileSync(path.join(folder.path, "file"), "");
      } finally {
        process.umask(before);
      }
      assert.equal(fs.readdirSync(place), []);
    },
  );
}

locked(
  "what is not locked is found, what is locked is not, nor what others call their own",
  async () => {
    await using folder = make();
    const left = path.join(place, "ours-left");
    fs.mkdirSync(path.join(left, "deep"), { recursive: true });
    fs.mkdirSync(path.join(place, "theirs-left"));
    assert.equal(await findAbandoned(place, KIND), [left]);
    assert.ok(fs.existsSync(left), "it was only looked for");
    const isInUse = (folder: string) => Promise.resolve(folder === left);
    await removeAbandoned(place, { ...KIND, isInUse });
    assert.ok(fs.existsSync(left));
    await removeAbandoned(place, KIND);
    assert.equal(fs.readdirSync(place).sort(), [
      path.basename(folder.path),
      "theirs-left",
    ]);
  },
);

locked("a place that is not there has nothing in it", async () => {
  assert.equal(await findAbandoned(path.join(place, "none"), KIND), []);
});

locked("what cannot be removed keeps nobody from the rest", async () => {
  for (const name of ["ours-1", "ours-2", "ours-3"]) {
    fs.mkdirSync(path.join(place, name));
  }
  const busy = path.join(place, "ours-2");
  const mounted = spawn("mount", ["-t", "tmpfs", "tmpfs", busy]);
  assert.equal(await once(mounted, "exit"), [0, null]);
  try {
    await removeAbandoned(place, KIND);
    assert.equal(fs.readdirSync(place), ["ours-2"]);
  } finally {
    await once(spawn("umount", [busy]), "exit");
  }
});

locked("none is lost that is made while others clean up", async () => {
  const program = `import { removeAbandoned } from ${JSON.stringify(MODULE)};
    process.stdout.write("ready");
    for (;;) await removeAbandoned(process.argv[1], { name: /^ours-/ });`;
  const cleaners = [1, 2].map(() =>
    spawn(process.execPath, ["--input-type=module", "-e", program, place], {
      stdio: ["ignore", "pipe", "inherit"],
    })
  );
  try {
    await Promise.all(cleaners.map(({ stdout }) => once(stdout, "data")));
    const kept: LockedFolder[] = [];
    const until = performance.now() + 2000;
    while (performance.now() < until) {
      const folder = make();
      fs.writeFileSync(path.join(folder.path, "file"), "");
      kept.push(folder);
      if (kept.length < 20) continue;
      const oldest = kept.shift()!;
      assert.equal(fs.readdirSync(oldest.path), ["file"]);
      await oldest[Symbol.asyncDispose]();
    }
    for (const folder of kept) {
      assert.equal(fs.readdirSync(folder.path), ["file"]);
      await folder[Symbol.asyncDispose]();
    }
  } finally {
    for (const cleaner of cleaners) cleaner.kill("SIGKILL");
    await Promise.all(cleaners.map((cleaner) => once(cleaner, "exit")));
  }
});

locked(
  "where folders cannot be locked, or are taken away each time, it says so",
  () => {
    assert.throws(
      () => LockedFolder.make("/proc/none-"),
      /ENOENT|EACCES|EPERM/,
    );
  },
);

locked.run();
