/** The ways in which programs are started: the table of `start_test.ts`. */
import type { CollectorName } from "../../src/messages/protocol.ts";
import { OLD_NODE } from "../e2e/harness.ts";
import { REGISTER, type Run } from "./start_world.ts";

/** The expected measured files, and the expected lines of kcovfs. */
export interface Expected {
  /** The files that are measured, at least in part. */
  readonly covered: readonly string[];
  /** A pattern for each line of kcovfs. */
  readonly lines: readonly RegExp[];
}

/** A way to start a program. */
export interface Case extends Run {
  readonly name: string;
  /** Whether the case is for this major version of Node. @default {all} */
  readonly on?: (major: number) => boolean;
  readonly expected: (
    at: { collector: CollectorName; major: number },
  ) => Expected;
}

const SCRIPT = `console.log("ok", typeof SharedArrayBuffer, process.execArgv.length);
if (1) { try { console.log(eval("1+1")); } catch (e) { console.log(e.name); } }
process.exitCode = 3;
`;
/** Starts others in all ways, as far as it may. */
const FAMILY = `const { Worker } = require("worker_threads");
const { spawnSync } = require("child_process");
const attempt = (what, action) => { try { action(); } catch (e) { console.log(what, e.code); } };
attempt("child", () => {
  const { status, stdout } = spawnSync(process.execPath, [...process.execArgv, "child.cjs"]);
  console.log("child", status, String(stdout));
});
attempt("worker", () => {
  new Worker("./worker.cjs").on("message", (m) => console.log(m)).on("exit", (code) => console.log(code));
});
`;
const FAMILY_FILES = {
  "main.cjs": FAMILY,
  "child.cjs": 'console.log("child"); process.exitCode = 4;',
  "worker.cjs": 'require("worker_threads").parentPort.postMessage("worker");',
};
const TEST = `import { test } from "node:test"; import assert from "node:assert";
test("a", (t) => { if (t) assert.ok(1); }); test("b", { skip: true }, () => {});
`;
const FAILING_TEST = `import { test } from "node:test";
test("c", () => { throw "no"; });
`;

const NO_INSPECTOR = /no inspector/;
const DENIED = /permission model denies/;

function all(files: Run["files"]): Expected {
  return { covered: Object.keys(files), lines: [] };
}

/** With these options of Node, a script is measured as always. */
function measured(
  name: string,
  options: readonly string[],
  rest: Partial<Case> = {},
): Case {
  const files = rest.files ?? { "main.cjs": SCRIPT };
  return {
    name,
    files,
    command: (node) => [node, ...options, "main.cjs"],
    expected: () => all(files),
    ...rest,
  };
}

/** Nothing is measured; one line says so. */
function unmeasured(line: RegExp): Case["expected"] {
  return () => ({ covered: [], lines: [line] });
}

/** Only probes work; everything does where nothing hinders V8. */
function tracedOnly(
  line: RegExp,
  files: Run["files"],
  rest: readonly string[] = [],
) {
  return ({ collector }: { collector: CollectorName }): Expected =>
    collector === "trace" ? all(files) : { covered: rest, lines: [line] };
}

const TESTS = {
  "a.test.mjs": TEST,
  "b.test.mjs": FAILING_TEST,
  "c.test.mjs": TEST,
};

const PLAIN: readonly Case[] = [
  measured("a script", []),
  measured("a family", [], { files: FAMILY_FILES }),
];

const TEST_RUNNER: readonly Case[] = [
  {
    name: "--test, whose parent has no inspector",
    files: TESTS,
    command: (node) => [node, "--test", ...Object.keys(TESTS)],
    expected: ({ collector }) => ({
      covered: Object.keys(TESTS),
      lines: collector === "trace" ? [] : [NO_INSPECTOR],
    }),
  },
  {
    name: "--test --test-isolation=none",
    files: TESTS,
    command: (
      node,
    ) => [node, "--test", "--test-isolation=none", ...Object.keys(TESTS)],
    on: (major) => major >= 24,
    expected: () => all(TESTS),
  },
  {
    name: "--test --experimental-test-isolation=none",
    files: TESTS,
    command: (node) => [
      ...[node, "--test", "--experimental-test-isolation=none"],
      ...Object.keys(TESTS),
    ],
    on: (major) => major === 22,
    expected: () => all(TESTS),
  },
  {
    name: "a test file by itself",
    files: { "main.mjs": TEST },
    command: (node) => [node, "main.mjs"],
    expected: () => all({ "main.mjs": "" }),
  },
];

const READ = "--allow-fs-read=*";
const WRITE = "--allow-fs-write=*";
const ADDONS = "--allow-addons";
const THREADS = "--allow-worker";
const CHILDREN = "--allow-child-process";
const NO_ADDON = /may load none/;
const NO_READING = /permission model denies kcovfs FileSystemRead/;

function permission(
  name: string,
  flags: readonly string[],
  rest: Partial<Case>,
): Case {
  return {
    ...measured(`--permission ${name}`, [], rest),
    command: (node) => [
      node,
      node.includes("node20") ? "--experimental-permission" : "--permission",
      ...flags,
      "main.cjs",
    ],
    ...rest,
  };
}

/** Node 20 lets no file be read without permission, not even the program. */
const isLenient = (major: number) => major > 20;
const hasAddons = (major: number) => major > 20;

const PERMISSION: readonly Case[] = [
  permission("alone", [], { on: isLenient, expected: unmeasured(NO_READING) }),
  permission("with reading", [READ], {
    expected: ({ collector }) => ({
      covered: [],
      lines: [collector === "trace" ? NO_ADDON : DENIED],
    }),
  }),
  permission("with threads", [READ, THREADS], {
    expected: ({ collector }) => ({
      covered: [],
      lines: [collector === "trace" ? NO_ADDON : DENIED],
    }),
  }),
  permission("with children, which are told of once", [READ, CHILDREN], {
    files: FAMILY_FILES,
    expected: ({ collector }) => ({
      covered: [],
      lines: [collector === "trace" ? NO_ADDON : DENIED],
    }),
  }),
  permission("with addons", [READ, ADDONS], {
    on: hasAddons,
    expected: unmeasured(DENIED),
  }),
  // Without warnings, since Node's thread for hooks repeats the program's.
  permission("with all that probes need", [
    READ,
    WRITE,
    ADDONS,
    THREADS,
    CHILDREN,
    "--no-warnings",
  ], {
    on: hasAddons,
    files: FAMILY_FILES,
    expected: tracedOnly(DENIED, FAMILY_FILES),
  }),
  permission("with an inspector", [
    READ,
    WRITE,
    ADDONS,
    THREADS,
    "--allow-inspector",
  ], {
    on: (major) => major >= 26,
  }),
  permission("with reading its own folder alone, by kcovfs run", [
    "--allow-fs-read=.",
  ], {
    isRun: true,
    expected: unmeasured(/denies reading kcovfs \(--allow-fs-read=.*\/\)/),
  }),
  permission("with reading its own folder alone", ["--allow-fs-read=."], {
    on: isLenient,
    expected: unmeasured(NO_READING),
  }),
];

/** Options that hinder nobody, as many together as possible. */
const HARMLESS: readonly Case[] = [
  measured("flags of how scripts are run", [
    ...[
      "--disallow-code-generation-from-strings",
      "--preserve-symlinks",
      "--no-deprecation",
    ],
    ...[
      "--preserve-symlinks-main",
      "--unhandled-rejections=strict",
      "--disable-proto=throw",
    ],
    ...[
      "--experimental-vm-modules",
      "--enable-source-maps",
      "--no-global-search-paths",
    ],
  ]),
  measured("flags of warnings", [
    "--pending-deprecation",
    "--throw-deprecation",
    "--trace-warnings",
  ]),
  measured("--frozen-intrinsics", ["--frozen-intrinsics", "--no-warnings"], {
    files: FAMILY_FILES,
  }),
  measured("--jitless", ["--jitless"]),
  measured("--use-strict and --no-lazy", ["--use-strict", "--no-lazy"]),
  measured("--no-opt and --single-threaded", ["--no-opt", "--single-threaded"]),
  measured("no snapshot of Node's", [
    "--no-node-snapshot",
    "--abort-on-uncaught-exception",
  ]),
  measured("--no-experimental-require-module and no types", [
    "--no-experimental-require-module",
    "--no-experimental-strip-types",
  ], { on: (major) => major >= 22 && major < 26 }),
  measured("--experimental-default-type", [
    "--experimental-default-type=module",
  ], {
    files: { "main.mjs": SCRIPT },
    command: (node) => [node, "--experimental-default-type=module", "main.mjs"],
    on: (major) => major < 24,
  }),
  measured("profilers", [
    "--cpu-prof",
    "--heap-prof",
    "--prof",
    "--no-logfile-per-isolate",
  ]),
  measured("--inspect", ["--inspect=127.0.0.1:0"]),
  measured("a heap of 24 MB", ["--max-old-space-size=24"]),
  measured("a stack of 200 kB", ["--stack-size=200"]),
  measured("--no-addons", ["--no-addons"], {
    expected: ({ collector }) =>
      collector === "trace" ? { covered: [], lines: [NO_ADDON] } : all({ "main.cjs": "" }),
  }),
];

const nothing = () => ({ covered: [], lines: [] });

/** Commands of Node, with a program and without. */
const COMMANDS: readonly Case[] = [
  {
    name: "--version",
    files: {},
    command: (node) => [node, "--version"],
    expected: nothing,
  },
  {
    name: "--v8-options",
    files: {},
    command: (node) => [node, "--v8-options"],
    expected: nothing,
  },
  {
    name: "an option that there is not",
    files: {},
    command: (node) => [node, "--nix"],
    expected: nothing,
  },
  {
    name: "a script that there is not",
    files: {},
    command: (node) => [node, "nix.js"],
    expected: nothing,
  },
  {
    name: "-p",
    files: {},
    command: (node) => [node, "-p", "1 + 1"],
    expected: nothing,
  },
  {
    name: "--check",
    files: { "main.cjs": "1 +" },
    command: (node) => [node, "--check", "main.cjs"],
    expected: nothing,
  },
  {
    name: "a script on standard input",
    files: {},
    command: (node) => [node, "-"],
    input: SCRIPT,
    expected: nothing,
  },
  {
    name: "the REPL",
    files: {},
    command: (node) => [node, "-i"],
    input: "1 + 1\nlet a = 3\na\nthrow 5\n.exit\n",
    expected: nothing,
  },
  {
    name: "--run",
    files: {
      "package.json": '{"scripts":{"it":"$NODE main.cjs"}}',
      "main.cjs": SCRIPT,
    },
    command: (node) => ["sh", "-c", 'NODE="$1" exec "$1" --run it', "sh", node],
    on: (major) => major >= 22,
    expected: () => all({ "main.cjs": "" }),
  },
  {
    name: "--watch, until its program says so",
    files: {
      "main.cjs":
        'console.log("once"); process.kill(process.ppid, "SIGTERM"); setInterval(() => {}, 1000);',
    },
    command: (node) => [node, "--watch", "main.cjs"],
    expected: ({ collector }) => ({
      covered: collector === "v8" ? [] : ["main.cjs"],
      lines: [],
    }),
  },
  {
    name: "--build-snapshot, and a program from it",
    files: {
      "main.cjs":
        'require("v8").startupSnapshot.setDeserializeMainFunction(() => console.log("main"));',
    },
    command: (node) => [
      ...[
        "sh",
        "-c",
        '"$1" --snapshot-blob b --build-snapshot main.cjs && "$1" --snapshot-blob b x',
      ],
      ...["sh", node],
    ],
    expected: unmeasured(/starts from a snapshot/),
  },
];

/** The command, run by a shell that does something first. */
function after(name: string, first: string, rest: Partial<Case> = {}): Case {
  return measured(name, [], {
    command: (
      node,
    ) => ["sh", "-c", `${first}; exec "$@"`, "sh", node, "main.cjs"],
    ...rest,
  });
}

/** The command, run by `unshare` in namespaces of its own. */
function within(name: string, first: string, rest: Partial<Case> = {}): Case {
  return after(name, `${first}`, {
    command: (node) => [
      ...["unshare", "-m", "--propagation", "private"],
      ...["sh", "-c", `${first}; exec "$@"`, "sh", node, "main.cjs"],
    ],
    ...rest,
  });
}

const GO_NOWHERE = 'd=$PWD; mkdir sub; cd sub; rmdir ../sub; set -- "$1" "$d/main.cjs"';

/** Probes do not work. */
function tracedLess(line: RegExp): Case["expected"] {
  return ({ collector }) =>
    collector === "v8" ? all({ "main.cjs": "" }) : { covered: [], lines: [line] };
}

const SURROUNDINGS: readonly Case[] = [
  after("stdin closed", "exec <&-"),
  after("stderr closed", "exec 2>&-"),
  after(
    "stderr closed, and a reason to say something",
    'exec 2>&-; set -- "$1" --no-addons "$2"',
    {
      expected: ({ collector }) => ({
        covered: collector === "v8" ? ["main.cjs"] : [],
        lines: [],
      }),
    },
  ),
  after("a working directory that is gone", GO_NOWHERE, {
    expected: unmeasured(/directory is gone/),
  }),
  within("without /proc", "mount -t tmpfs none /proc"),
  within("without /dev/shm", "mount -t tmpfs none /dev/shm", {
    expected: tracedLess(/Cannot start the agent: .*ENOENT/),
  }),
  within("with a read-only /tmp", "mount --bind -o ro /tmp /tmp"),
  after("few open files", "ulimit -n 40", {
    expected: unmeasured(/ulimit -n/),
  }),
  after("some open files", "ulimit -n 70", {
    expected: unmeasured(/ulimit -n/),
  }),
  after("enough open files", "ulimit -n 256"),
  after("files of no length", "ulimit -f 0"),
  after("a small stack", "ulimit -s 512"),
  after("memory that may not be locked", "ulimit -l 0"),
  ...[900, 1500, 2300].map((MiB) =>
    after(`${MiB} MiB of address space`, `ulimit -v ${MiB * 1024}`, {
      on: (major) => major < 24 || MiB > 1400,
      expected: unmeasured(/ulimit -v/),
    })
  ),
  after(
    "little address space more than the agent wants",
    "ulimit -v $(( 7000 * 1024 ))",
  ),
  ...[7, 9, 15].map((threads) =>
    after(`a limit of ${threads} processes`, "", {
      command: (node) => [
        ...[
          "bash",
          "-c",
          `ulimit -u ${threads}; exec setpriv --reuid $(( 20000 + $$ )) "$@"`,
          "bash",
        ],
        ...["--clear-groups", node, "-p", "1 + 1"],
      ],
      expected: () => ({ covered: [], lines: [/ulimit -u/] }),
    })
  ),
  after("another user, who may not connect", "", {
    command: (
      node,
    ) => ["setpriv", "--reuid", "4711", "--clear-groups", node, "-p", "1 + 1"],
    expected: () => ({
      covered: [],
      lines: [/Cannot reach the server: .*EACCES/],
    }),
  }),
];

const TOO_OLD = /^kcovfs: Node v18\.\S+ is too old \(20\.19 or newer is needed\): running without/;

/** Ways by other Nodes, and by `kcovfs/register`. */
const OTHER_WAYS: readonly Case[] = [
  ...[[], ["--require", REGISTER], ["--import", REGISTER]].map((
    options,
  ): Case => ({
    name: `a Node that is too old, ${options[0] ?? "by its environment"}`,
    files: { "main.cjs": 'console.log("ok"); process.exitCode = 3;' },
    command: () => [OLD_NODE, ...options, "main.cjs"],
    isBare: options.length > 0,
    on: (major) => major === 20,
    expected: unmeasured(TOO_OLD),
  })),
  {
    name: "a family with an old Node in it, three times",
    files: {
      "main.cjs": `const { spawnSync } = require("child_process");
for (let i = 0; i < 3; i++) spawnSync(process.argv[2], ["-e", ""], { stdio: "inherit" });`,
    },
    command: (node) => [node, "main.cjs", OLD_NODE],
    on: (major) => major === 20,
    expected: () => ({
      covered: ["main.cjs"],
      lines: [TOO_OLD, TOO_OLD, TOO_OLD],
    }),
  },
  {
    name: "an old Node that starts others of its kind",
    files: {
      "main.cjs": `const { spawnSync } = require("child_process");
for (let i = 0; i < 3; i++) spawnSync(process.execPath, ["-e", ""], { stdio: "inherit" });`,
    },
    command: () => [OLD_NODE, "main.cjs"],
    on: (major) => major === 20,
    expected: unmeasured(TOO_OLD),
  },
  ...["--require", "--import"].map((option): Case => ({
    ...measured(`${option} kcovfs/register`, [option, REGISTER], {
      files: FAMILY_FILES,
    }),
    isBare: true,
  })),
  {
    name: "--test with --import kcovfs/register",
    files: TESTS,
    command: (
      node,
    ) => [node, "--import", REGISTER, "--test", ...Object.keys(TESTS)],
    isBare: true,
    // The parent does not load the modules for its test files.
    expected: () => all(TESTS),
  },
];

export const CASES: readonly Case[] = [
  ...PLAIN,
  ...TEST_RUNNER,
  ...PERMISSION,
  ...HARMLESS,
  ...COMMANDS,
  ...SURROUNDINGS,
  ...OTHER_WAYS,
];
