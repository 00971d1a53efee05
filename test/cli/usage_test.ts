/** The command line's answers to users who ask for help, or for something impossible. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, type Finished, KCOVFS, OLD_NODE, Scene } from "../e2e/harness.ts";

/** The default collector of a server, in words. */
const WAY = "probes, written straight into the client's memory";

const usage = suite<{ scene: Scene }>("cli/usage");

usage.before((context) => {
  context.scene = new Scene();
});

usage.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

/** One line on stderr that begins like this, nothing on stdout, and this status. */
function refused(found: Finished, status: number, text: RegExp): void {
  assert.is(found.stdout, "");
  assert.match(found.stderr, /^kcovfs: [^\n]+\n$/);
  assert.match(found.stderr, text);
  assert.is(found.status, status, found.stderr);
}

const COMMANDS = [
  "libfuzzer",
  "afl",
  "run-input",
  "fuzz",
  "mount",
  "run",
  "ps",
  "symbolize",
  "top",
  "report",
  "dictionary",
  "replay",
  "instrument",
  "unmount",
  "env",
  "doctor",
  "install-service",
];

usage("names in errors are text, whatever a terminal would do with them", async () => {
  const found = await execute([KCOVFS, "replay", "no\nsuch\x1b[31m\x9bfile\u2028é"]);
  refused(found, 1, /Cannot replay no\\nsuch\\u001b\[31m\\u009bfile\\u2028é: no such file/);
});

usage("the help lists all commands, and each has its own, with an example", async () => {
  const { status, stdout } = await execute([KCOVFS, "--help"]);
  assert.is(status, 0);
  await Promise.all(COMMANDS.map(async (command) => {
    assert.match(stdout, new RegExp(`kcovfs ${command}\\b`));
    const help = await execute([KCOVFS, command, "--help"]);
    assert.is(help.status, 0);
    assert.match(help.stdout, new RegExp(`^kcovfs ${command}\\b`));
    assert.match(help.stdout, new RegExp(`Examples:\\n +kcovfs ${command}\\b`));
  }));
});

const SENSELESS: readonly [string[], RegExp][] = [
  [[], /a command is missing; see 'kcovfs --help'/],
  [["frob"], /Unknown command: frob; see 'kcovfs --help'/],
  [["--frob"], /see 'kcovfs --help'/],
  [["ps", "--frob"], /Unknown argument: frob; see 'kcovfs ps --help'/],
  [["symbolise"], /Unknown command: symbolise; did you mean 'symbolize'\?; see 'kcovfs --help'/],
  [["isntrument"], /did you mean 'instrument'\?/],
  [["ps", "--jsn"], /Unknown argument: jsn; did you mean --json\?; see 'kcovfs ps --help'/],
  [["ps", "here"], /Unknown argument: here; see 'kcovfs ps --help'/],
  [["mount"], /: <dir> is missing; see 'kcovfs mount --help'/],
  [["unmount"], /: <dir> is missing; see 'kcovfs unmount --help'/],
  [
    ["mount", "/mnt", "--include", "["],
    /--include '\[' is no glob: its closing \] is missing; see/,
  ],
  [["run", "--exclude", "{a,b", "--", "true"], /--exclude '\{a,b' is no glob: .*closing \}/],
  [["attach", "1", "--include", "a)"], /--include 'a\)' is no glob: its opening \( is missing/],
  [["fuzz", "ls", "-la"], /put the command after '--': kcovfs fuzz -- ls -la; see 'kcovfs fuzz/],
  [["run", "--name", "api", "node", "a.js"], /: kcovfs run --name api -- node a\.js; see/],
  [["mount", "/mnt", "--mode", "999"], /--mode takes three octal digits/],
  [["mount", "/mnt", "--hold", "maybe"], /hold.*"maybe".*"auto", "none"/],
  [["mount", "/mnt", "--collector", "magic"], /collector.*"magic"/],
  [["mount", "/mnt", "--collector", "trace", "--hold", "none"], /cannot be had with --hold none/],
  [["mount", "/mnt", "--collector", "trace", "--self"], /--self: the server has no probes/],
  [["fuzz", "--collector", "trace", "--self", "--", "true"], /--self: .*'kcovfs fuzz --help'/],
  [["mount", "/mnt", "--collect-timeout", "soon"], /--collect-timeout/],
  [["mount", "/mnt", "--state"], /state/],
  [["top", "--interval", "0"], /--interval takes seconds, from 0\.1 to 86400; see/],
  [["top", "--interval", "soon"], /--interval takes seconds/],
  [["top", "--count", "1.5"], /--count takes a whole number above 0; see 'kcovfs top --help'/],
  [["libfuzzer"], /: <target> is missing; see 'kcovfs libfuzzer --help'/],
  [["afl"], /: <target> is missing; see 'kcovfs afl --help'/],
  [["run-input"], /: <target> is missing; see 'kcovfs run-input --help'/],
  [["run-input", "a.mjs"], /: <file\.\.> is missing; see 'kcovfs run-input --help'/],
  [["libfuzzer", "/", "--timeout", "0"], /--timeout takes a number from 0\.1 to 86400; see/],
  [["libfuzzer", "/"], /Cannot fuzz \/: it is no file; name the module that exports 'fuzz'; see/],
  [["run"], /a command is missing: put it after '--'; see 'kcovfs run --help'/],
  [["fuzz"], /a command is missing: put it after '--'; see 'kcovfs fuzz --help'/],
  [["run", "node", "x.js"], /see 'kcovfs run --help'/],
  [["env", "node"], /see 'kcovfs env --help'/],
];

for (const [args, text] of SENSELESS) {
  usage(`'kcovfs ${args.join(" ")}' makes no sense: a line, and status 2`, async () => {
    refused(await execute([KCOVFS, ...args]), 2, text);
  });
}

usage("files in the place of a glob are what an unquoted '**' has become", async ({ scene }) => {
  const folder = join(scene.folder, "globs");
  mkdirSync(folder);
  for (const name of ["a.js", "b.js"]) writeFileSync(join(folder, name), "");
  const inFolder = (line: string) =>
    execute(["sh", "-c", `cd "$1" && exec "$0" ${line}`, KCOVFS, folder]);
  const files =
    /shell has made files of the glob of --include \(a\.js, b\.js\.\.\.\): put it in quotes/;
  refused(await inFolder("run --include *.js -- true"), 2, files);
  refused(await inFolder("mount --include *.js ."), 2, files);
  const file =
    /--exclude b\.js is a file here, but .* absolute: say --exclude '\*\*\/b\.js', in quotes/;
  refused(await inFolder("run --exclude b* -- true"), 2, file);
});

usage("'run' and 'fuzz' say the same of a command that there is not", async ({ scene }) => {
  const folder = join(scene.folder, "commands");
  mkdirSync(folder);
  for (const name of ["plain", "script.js"]) writeFileSync(join(folder, name), "");
  writeFileSync(join(folder, "odd"), "#!/no/such/shell\n", { mode: 0o755 });
  const cases: [command: string, status: number, text: RegExp][] = [
    ["./nope", 127, /Cannot run \.\/nope: no such file$/m],
    ["nope", 127, /Cannot run nope: no such command in PATH$/m],
    ["plain", 127, /Cannot run plain: no such command in PATH; for the file here say \.\/plain$/m],
    ["./plain", 126, /Cannot run \.\/plain: it is not executable; run 'chmod \+x \.\/plain'$/m],
    ["./script.js", 126, /Cannot run \.\/script\.js: it is not executable; say 'node \.\/script/],
    [folder, 126, /: it is a folder$/m],
    [
      "./odd",
      127,
      /Cannot run \.\/odd: its first line names \/no\/such\/shell, and there is none$/m,
    ],
  ];
  const line = ["sh", "-c", 'cd "$1" && exec "$0" "$2" -- "$3"', KCOVFS, folder];
  await Promise.all(cases.map(async ([command, status, text]) => {
    for (const how of ["run", "fuzz"]) {
      refused(await execute([...line, how, command]), status, text);
    }
  }));
});

usage("a mount would hide what is in a folder: that takes --over", async ({ scene }) => {
  const folder = join(scene.folder, "full");
  mkdirSync(folder);
  writeFileSync(join(folder, "thesis.txt"), "");
  const found = await execute([KCOVFS, "mount", folder, "--state", scene.state]);
  refused(found, 1, /full: it is not empty \(thesis\.txt\).*empty directory, or say --over$/m);
  const mount = async (prepare: string, ...options: string[]) => {
    // The server ends when it is unmounted.
    const script = `${prepare}; exec 3>&1; "$0" mount "$@" | { read line; echo "$line" >&3
      "$0" unmount "$1"; cat; }`;
    const args = [folder, "--state", scene.state, ...options];
    return await execute(["unshare", "--mount", "sh", "-c", script, KCOVFS, ...args]);
  };
  for (const one of [await mount(":", "--over"), await mount('mount -t debugfs none "$1"')]) {
    assert.equal([one.stdout, one.stderr], [`kcovfs: mounted on ${folder} (${WAY})\n`, ""]);
  }
});

usage("a Node that is too old is told so in a line, by every command", async () => {
  await Promise.all(["--help", ...COMMANDS].map(async (command) => {
    const found = await execute([OLD_NODE, KCOVFS, command]);
    refused(found, 1, /Node v18\.\S+ is too old \(20\.19 or newer/);
  }));
});

usage("a clone that is not built says what builds it", async ({ scene }) => {
  const clone = join(scene.folder, "clone");
  mkdirSync(join(clone, "src"), { recursive: true });
  cpSync(dirname(KCOVFS), join(clone, "bin"), { recursive: true });
  const found = await execute([join(clone, "bin/kcovfs"), "ps"]);
  refused(found, 1, /clone is not built; run 'npm ci && npm run build' there$/m);
});

usage("a mount point that is none is refused with what to do", async ({ scene }) => {
  const missing = join(scene.folder, "missing");
  const file = join(scene.folder, "file");
  writeFileSync(file, "");
  const mount = (directory: string) => execute([KCOVFS, "mount", directory]);
  refused(await mount(missing), 1, /no such directory; run 'mkdir -p .*missing'/);
  refused(await mount(file), 1, /not a directory/);
});

usage("who is not root is told so", async ({ scene }) => {
  const directory = join(scene.folder, "mine");
  mkdirSync(directory);
  const asNobody = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    process.execPath,
  ];
  for (const args of [["mount", directory], ["fuzz", "--", "true"]]) {
    refused(await execute([...asNobody, KCOVFS, ...args]), 1, /not root; run with sudo/);
  }
});

usage("a machine without /dev/fuse is told what to do", async ({ scene }) => {
  const script = 'mount -t tmpfs none /dev && mkdir -p "$1" && exec "$0" mount "$1"';
  const found = await execute(
    ["unshare", "--mount", "sh", "-c", script, KCOVFS, join(scene.folder, "there")],
  );
  refused(found, 1, /\/dev\/fuse.*modprobe fuse/);
});

usage("where no server is, commands say how to start one", async () => {
  const env = { KCOVFS_MOUNT: "" };
  // In a namespace of its own, since other servers may run on this machine.
  const alone = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    'umount -a -t fuse.kcovfs; exec "$0" "$@"',
    KCOVFS,
  ];
  for (const args of [["ps"], ["run", "--", "true"]]) {
    refused(
      await execute([...alone, ...args], { env }),
      1,
      /nothing is mounted; run 'kcovfs mount/,
    );
  }
});

usage("a mount that is none, and a state that nobody has written, are told", async ({ scene }) => {
  const { folder } = scene;
  refused(await execute([KCOVFS, "ps", "--mount", folder]), 1, /no server is mounted there/);
  refused(await execute([KCOVFS, "unmount", folder]), 1, /kcovfs is not mounted there/);
  const state = join(folder, "nothing");
  const args = ["symbolize", "--state", state, "0xffffffff80000000"];
  refused(await execute([KCOVFS, ...args]), 1, /no server has run with it; see --state/);
});

usage("'unmount' leaves other filesystems alone", async ({ scene }) => {
  const directory = join(scene.folder, "tmpfs");
  mkdirSync(directory);
  const script = 'mount -t tmpfs none "$1" && "$0" unmount "$1"; grep -c " $1 tmpfs" /proc/mounts';
  const found = await execute(["unshare", "--mount", "sh", "-c", script, KCOVFS, directory]);
  assert.match(found.stderr, /kcovfs is not mounted there/);
  assert.is(found.stdout, "1\n");
});

usage.run();
