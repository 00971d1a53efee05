/** `src/fuse` alone: a filesystem that has nothing to do with kcov, on a real mount. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  abi,
  type Dirent,
  Errno,
  type Filesystem,
  type FuseMount,
  isMounted,
  MountError,
  packDirents,
  serve,
} from "../../src/fuse/mod.ts";
import { execute } from "./harness.ts";
import { nodeId } from "../../src/fuse/ids.ts";

const fuse = suite("fuse, another filesystem");

const NOTES = { subtype: "notes" };
const NOTE = 2;
const LINK = 3;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
const S_IFREG = 0o100000;

const ENTRIES: readonly Dirent[] = [
  { ino: NOTE, name: "note", mode: S_IFREG | 0o644 },
  { ino: LINK, name: "link", mode: S_IFLNK | 0o777 },
];

/** A folder with a file that can be written, and a link to it. */
class Notes implements Filesystem {
  text = new Uint8Array(0);
  readonly forgotten: number[] = [];

  #attributes(ino: number): abi.FuseAttr {
    const mode = ENTRIES.find((entry) => entry.ino === ino)?.mode ?? S_IFDIR | 0o755;
    const size = ino === NOTE ? this.text.length : 0;
    return {
      ...{ ino, size, mode, blocks: 1, blksize: 4096, flags: 0, nlink: 1, uid: 0, gid: 0, rdev: 0 },
      ...{ atime: 0, mtime: 0, ctime: 0, atimensec: 0, mtimensec: 0, ctimensec: 0 },
    };
  }

  lookup(_request: unknown, name: string) {
    const entry = ENTRIES.find((entry) => entry.name === name);
    if (!entry) throw new Errno("ENOENT");
    return {
      ...{ nodeid: nodeId(entry.ino), generation: 0, attr: this.#attributes(entry.ino) },
      ...{ entry_valid: 0, entry_valid_nsec: 0, attr_valid: 0, attr_valid_nsec: 0 },
    };
  }

  getattr({ nodeid }: { nodeid: number }) {
    return { attr_valid: 0, attr_valid_nsec: 0, attr: this.#attributes(nodeid) };
  }

  setattr({ nodeid }: { nodeid: number }, { valid, size }: { valid: number; size: bigint }) {
    if (valid & abi.FATTR_SIZE) this.text = this.text.slice(0, Number(size));
    return { attr_valid: 0, attr_valid_nsec: 0, attr: this.#attributes(nodeid) };
  }

  readlink(): string {
    return "note";
  }

  readdir(_request: unknown, { offset, size }: { offset: number; size: number }): Uint8Array {
    return packDirents(ENTRIES, { offset, size });
  }

  async read(_request: unknown, { offset, size }: { offset: number; size: number }) {
    await new Promise((resolve) => setImmediate(resolve));
    return this.text.subarray(offset, offset + size);
  }

  write(_request: unknown, { offset, data }: { offset: number; data: Uint8Array }) {
    const text = new Uint8Array(Math.max(this.text.length, offset + data.length));
    text.set(this.text);
    text.set(data, offset);
    this.text = text;
    return { size: data.length };
  }
}

function scenario(
  sentence: string,
  run: (mount: FuseMount, notes: Notes) => Promise<void>,
): void {
  fuse(sentence, async () => {
    const folder = mkdtempSync(join(tmpdir(), "kcovfs-notes-"));
    const notes = new Notes();
    try {
      const directory = join(folder, "mnt");
      mkdirSync(directory);
      await using mount = await serve(directory, notes, NOTES);
      await run(mount, notes);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

const shell = (directory: string, script: string) =>
  execute(["sh", "-c", `cd ${directory}; ${script}`]);

scenario("files are listed, written, read, cut off and linked to", async ({ directory }, notes) => {
  const { stdout, stderr } = await shell(
    directory,
    "ls -U; echo hello >note; cat link; printf there | dd of=note bs=1 seek=6 conv=notrunc status=none; cat note; stat -c %s note; truncate -s 2 note; cat note; echo; cat missing",
  );
  assert.is(stdout, "note\nlink\nhello\nhello\nthere11\nhe\n");
  assert.match(stderr, /missing: No such file or directory/);
  assert.is(Buffer.from(notes.text).toString(), "he");
});

scenario("a megabyte comes back as it went", async ({ directory }) => {
  const { stdout } = await shell(
    directory,
    "head -c 1000000 /dev/urandom >../random; cat ../random >note; cmp note ../random && echo same",
  );
  assert.is(stdout, "same\n");
});

scenario("what it has no method for is refused, and mapping works", async ({ directory }) => {
  const { stdout, stderr } = await shell(
    directory,
    "mkdir x; mv note y; echo mapped >note; grep -c mapped note",
  );
  assert.match(stderr, /mkdir: .*Function not implemented\nmv: .*Function not implemented/);
  assert.is(stdout, "1\n");
});

scenario("it ends when it is unmounted from outside", async (mount) => {
  assert.ok(await isMounted(mount.directory, NOTES));
  assert.is((await execute(["umount", mount.directory])).status, 0);
  await mount.ended;
});

scenario("disposing unmounts it, though it is in use", async (mount) => {
  const user = shell(mount.directory, "echo in; exec sleep 2");
  for (let left = 100; left > 0 && !(await isUsed(mount.directory)); left--);
  await mount[Symbol.asyncDispose]();
  assert.not.ok(await isMounted(mount.directory, NOTES));
  await user;
});

async function isUsed(directory: string): Promise<boolean> {
  const { stdout } = await execute(["sh", "-c", "readlink /proc/[0-9]*/cwd"]);
  return stdout.split("\n").includes(directory);
}

fuse("a mount point that is none is refused, and nothing is left", async () => {
  const missing = join(tmpdir(), "kcovfs-no-such-directory");
  await serve(missing, {}, NOTES).then(
    () => assert.unreachable(),
    (error) => {
      assert.instance(error, MountError);
      assert.match(error.message, /no such directory/);
    },
  );
});

fuse.run();
