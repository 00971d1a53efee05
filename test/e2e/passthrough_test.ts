/** `src/fuse` alone: files that back others, and Linux's treatment of them. */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { abi, type FuseMount, serve, unmountFuse } from "../../src/fuse/mod.ts";
import { SharedFolder } from "../../src/base/shared_folder.ts";
import { ioctl, mapShared } from "../../src/base/system_calls.ts";
import { Areas } from "./areas.ts";
import { compile, execute, NODES } from "./harness.ts";

const passthrough = suite("fuse, passthrough");

const SUBTYPE = { subtype: "areas" };
const SYSTEM_CALLS = new URL("../../src/base/system_calls.js", import.meta.url).href;
const SERVER = fileURLToPath(new URL("./serve_areas.js", import.meta.url));
/** ms after which a client that does not answer is killed. */
const PATIENCE = 20_000;

passthrough.before(() => void compile("passthrough"));

/** A running `passthrough.c`. */
class Client implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  constructor(directory: string) {
    this.#child = spawn(compile("passthrough"), [join(directory, "area")], {
      stdio: ["pipe", "pipe", "inherit"],
      timeout: PATIENCE,
      killSignal: "SIGKILL",
    });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve) => this.#child.on("close", resolve));
  }

  /** Has it do something; returns the result, "it ended" if that was its end. */
  async ask(command: string): Promise<string> {
    this.#child.stdin!.write(`${command}\n`);
    const { value, done } = await this.#answers.next();
    return done ? "it ended" : value;
  }

  /** Has it do several things: `["open 0", "0"]` is a command and its expected result. */
  async expect(...steps: readonly (readonly [string, string])[]): Promise<void> {
    for (const [command, answer] of steps) assert.is(await this.ask(command), answer, command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    await this.#ended;
  }
}

interface World {
  readonly areas: Areas;
  readonly mount: FuseMount;
  readonly client: Client;
}

/** A sentence about a mount and a client, and the flags of `OPEN` besides FOPEN_PASSTHROUGH. */
function scenario(
  sentence: string,
  run: (world: World) => Promise<void>,
  flags: number = abi.FOPEN_DIRECT_IO,
): void {
  passthrough(sentence, async () => {
    const directory = fs.mkdtempSync(join(tmpdir(), "kcovfs-areas-"));
    try {
      await using folder = await SharedFolder.make();
      let areas: Areas | undefined;
      await using mount = await serve(
        directory,
        (connection) => areas = new Areas(connection, { folder: folder.path, flags }),
        { ...SUBTYPE, ioctl },
      );
      await using client = new Client(directory);
      await run({ areas: areas!, mount, client });
    } finally {
      fs.rmdirSync(directory);
    }
  });
}

/** Waits for a message of the kernel. */
async function hear(areas: Areas, message: string): Promise<void> {
  const until = performance.now() + PATIENCE;
  while (!areas.heard.includes(message)) {
    if (performance.now() > until) assert.unreachable(`${message} did not come`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const NO_DATA = "Invalid argument";
const MAPPED = [["open 0", "0"], ["size 0 8192", "0"], ["shared 0 0", "0"]] as const;

scenario("this kernel has it", async ({ client, mount }) => {
  await client.expect(["open 0", "0"]);
  assert.ok(mount.backings);
});

for (const [name, node] of Object.entries(NODES)) {
  scenario(`${name} and the client share memory`, async ({ areas, client }) => {
    await client.expect(...MAPPED, ["store 0 8191 5", "5"]);
    const program = `import { mapShared } from ${JSON.stringify(SYSTEM_CALLS)};
      import { openSync } from "node:fs";
      const { memory } = mapShared(openSync(process.argv[1], "r+"), 65536);
      const words = new BigUint64Array(memory);
      words[1] = words[8191] + 1n;`;
    const { status, stderr } = await execute(
      [node, "--input-type=module", "-e", program, areas.fileOf(2).path],
    );
    assert.equal([status, stderr], [0, ""]);
    await client.expect(["load 0 1", "6"]);
  });
}

scenario("with FOPEN_DIRECT_IO what is read and written comes to us", async ({ areas, client }) => {
  await client.expect(
    ...[["open 0", "0"], ["read 0 0 8", NO_DATA], ["write 0 0", NO_DATA]] as const,
    ...[["size 0 8192", "0"], ["shared 0 0", "0"], ["store 0 0 7", "7"]] as const,
    ...[["read 0 0 8", "8"], ["read 0 65528 16", "8"], ["read 0 65536 8", "0"]] as const,
    ["write 0 0", NO_DATA],
  );
  assert.equal(areas.heard, [
    ...["OPEN 2", "READ 2", "WRITE 2", "READ 2", "READ 2", "READ 2", "WRITE 2"],
  ]);
});

scenario("without it what is read and written goes to the file", async ({ areas, client }) => {
  await client.expect(["open 0", "0"], ["read 0 0 8", "0"], ["write 0 0", "1"]);
  await client.expect(["size 0 8192", "0"], ["read 0 0 65536", "65536"]);
  assert.equal(areas.heard, ["OPEN 2"]);
}, 0);

scenario("a mapping that is older than the size is SIGBUS until then", async ({ client }) => {
  await client.expect(["open 0", "0"], ["length 0", "0"], ["shared 0 0", "0"]);
  await client.expect(["load 0 0", "Bus error"], ["store 0 0 1", "Bus error"]);
  await client.expect(["size 0 8192", "0"], ["load 0 0", "0"], ["store 0 511 1", "1"]);
});

scenario("its length is what we say, not the file's", async ({ areas, client }) => {
  await client.expect(["open 0", "0"], ["size 0 513", "0"]);
  areas.fileOf(2).grow(8192);
  await client.expect(["length 0", "4104"], ["end 0", "4104"]);
});

scenario("each open by name has a file of its own", async ({ client }) => {
  await client.expect(...MAPPED, ["open 1", "0"], ["size 1 8192", "0"], ["shared 1 1", "0"]);
  await client.expect(["store 0 1 5", "5"], ["load 1 1", "0"]);
});

scenario("the same node is not opened again with another id", async ({ areas, client }) => {
  await client.expect(...MAPPED, ["reopen 0 1", "Input/output error"], ["load 0 0", "0"]);
  assert.equal(areas.heard, ["OPEN 2", "OPEN 2", "RELEASE 2"]);
});

scenario("with the page cache it is not opened at all", async ({ client }) => {
  await client.expect(["open 0", "Input/output error"]);
}, abi.FOPEN_KEEP_CACHE);

scenario("a private mapping copies the pages that it writes", async ({ client }) => {
  await client.expect(...MAPPED, ["private 0 1", "0"], ["store 0 1 5", "5"], ["load 1 1", "5"]);
  await client.expect(["store 1 1 6", "6"], ["load 0 1", "5"], ["store 0 1 7", "7"]);
  await client.expect(["load 1 1", "6"], ["store 0 512 8", "8"], ["load 1 512", "8"]);
});

scenario("a forked child shares the mapping", async ({ client }) => {
  await client.expect(...MAPPED, ["child 0 3 33", "0"], ["load 0 3", "33"]);
});

scenario("RELEASE does not wait for the mapping, FORGET does", async ({ areas, client }) => {
  await client.expect(...MAPPED, ["close 0", "0"]);
  await hear(areas, "RELEASE 2");
  const words = new BigUint64Array(mapShared(areas.fileOf(2).fd, 65536).memory);
  words[1] = 9n;
  await client.expect(["load 0 1", "9"], ["store 0 1 10", "10"]);
  assert.is(words[1], 10n);
  assert.equal(areas.heard, ["OPEN 2", "RELEASE 2"]);
  await client.expect(["unmap 0", "0"]);
  await hear(areas, "FORGET 2");
});

scenario("a mount is busy while something is mapped", async ({ areas, client, mount }) => {
  await client.expect(...MAPPED, ["close 0", "0"]);
  await hear(areas, "RELEASE 2");
  assert.equal(await unmountFuse(mount.directory), { busy: true });
  await mount.ended;
  await client.expect(["store 0 1 9", "9"], ["load 0 8191", "0"], ["unmap 0", "0"]);
});

scenario(
  "only root's regular files of filesystems that are not stacked are taken",
  async (world) => {
    await world.client.expect(["open 0", "0"]);
    const backings = world.mount.backings!;
    const refusal = (fd: number) => {
      try {
        return backings.open(fd);
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    };
    const opened = ["/", "/dev/null", "/proc/self/status"].map((file) => fs.openSync(file, "r"));
    assert.equal([...opened, 999].map(refusal), ["EISDIR", "EINVAL", "ELOOP", "EBADF"]);
    opened.forEach((fd) => fs.closeSync(fd));
    process.seteuid!(1000);
    const asUser = refusal(world.areas.fileOf(2).fd);
    process.seteuid!(0);
    assert.is(asUser, "EPERM");
    assert.throws(() => backings.close(999), /^Cannot call ioctl 0x4004e502: ENOENT$/);
  },
);

passthrough(
  "a client whose server is killed keeps its memory, and is not kept waiting",
  async () => {
    const directory = fs.mkdtempSync(join(tmpdir(), "kcovfs-areas-"));
    const server = spawn(process.execPath, [SERVER, directory], {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: PATIENCE,
      killSignal: "SIGKILL",
    });
    const ended = new Promise((resolve) => server.on("exit", resolve));
    try {
      const folder = String(await new Promise((resolve) => server.stdout.once("data", resolve)));
      await using client = new Client(directory);
      await client.expect(...MAPPED, ["store 0 1 5", "5"]);
      server.kill("SIGKILL");
      await ended;
      await using next = await SharedFolder.make();
      assert.not.ok(fs.existsSync(folder.trim()), `${next.path} is made, theirs is removed`);
      const gone = "Transport endpoint is not connected";
      await client.expect(["load 0 1", "5"], ["store 0 8191 6", "6"], ["size 0 8192", gone]);
      await client.expect(["length 0", gone], ["shared 0 1", "0"], ["load 1 8191", "6"]);
      await client.expect(["close 0", gone], ["unmap 0", "0"], ["unmap 1", "0"]);
    } finally {
      server.kill("SIGKILL");
      await unmountFuse(directory);
      fs.rmdirSync(directory);
    }
  },
);

passthrough.run();
