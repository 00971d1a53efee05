/** The package of `npm pack`, installed in an empty folder. No script of any package is run there. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, type Finished, NODES, Scene } from "./harness.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

interface Context {
  scene: Scene;
  /** The folder where the package was installed. */
  folder: string;
  /** The package itself. */
  home: string;
}

const pack = suite<Context>("the package");

pack.before(async (context) => {
  const scene = context.scene = new Scene();
  const folder = context.folder = join(scene.folder, "empty");
  mkdirSync(folder);
  const clone = copySources(scene);
  const packed = await execute(
    ["npm", "pack", "--prefix", clone, "--pack-destination", scene.folder, clone],
  );
  assert.is(packed.status, 0, packed.stderr);
  const [tarball] = readdirSync(scene.folder).filter((name) => name.endsWith(".tgz"));
  writeFileSync(join(folder, "package.json"), '{ "private": true }');
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  const installed = await execute(
    ["npm", "install", "--prefix", folder, ...options, join(scene.folder, tarball)],
  );
  assert.is(installed.status, 0, installed.stderr);
  context.home = join(folder, "node_modules/kcovfs");
});

/** The contents of a fresh clone without the tests: packing builds, and other tests use the built files. */
function copySources({ folder }: Scene): string {
  const clone = join(folder, "clone");
  const folders = ["bin", "bridges", "docs", "examples", "scripts", "shims", "src", "systemd"];
  const files = ["CHANGELOG.md", "LICENSE", "README.md", "package.json"];
  for (const name of [...folders, ...files, "tsconfig.json", "tsconfig.build.json"]) {
    cpSync(join(ROOT, name), join(clone, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(clone, "node_modules"));
  return clone;
}

pack.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

/** Runs a shell line in the folder, with a Node and the commands that were installed there. */
function shell(
  { folder }: Context,
  line: string,
  options: { node?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Finished> {
  const { node = process.execPath, env } = options;
  const path = [dirname(node), join(folder, "node_modules/.bin"), process.env["PATH"]];
  return execute(["sh", "-c", `cd "$0" && ${line}`, folder], {
    env: { ...env, PATH: path.join(delimiter) },
  });
}

pack("it has what is used and read, and no sources or tests", ({ home }) => {
  const { files, version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const expected = [...files, "LICENSE", "README.md", "package.json", "dist"]
    .filter((name: string) => name !== "dist/src" && !name.startsWith("!")).sort();
  assert.equal(readdirSync(home).sort(), expected);
  const all = readdirSync(home, { recursive: true, encoding: "utf8" });
  assert.not(all.some((name) => name.startsWith("examples/") && name.includes("node_modules")));
  assert.equal(all.filter((name) => /(?<!\.d)\.[cm]?ts$|_test\./.test(name)), []);
  assert.match(readFileSync(join(home, "CHANGELOG.md"), "utf8"), new RegExp(`^## ${version}`, "m"));
});

pack("its manual page lists the commands", ({ home }) => {
  const page = readFileSync(join(home, "man/kcovfs.1"), "utf8");
  assert.match(page, /^\.TH KCOVFS 1 /);
  for (const command of ["fuzz", "doctor", "completion"]) {
    assert.match(page, new RegExp(`^\\.SS kcovfs ${command}\\b`, "m"));
  }
});

pack("its completion completes commands and options in bash", async (context) => {
  const line = (words: string) =>
    `bash -c 'eval "$(kcovfs completion)"; COMP_WORDS=(${words}); COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ));
    _kcovfs_yargs_completions; echo "\${COMPREPLY[@]}"'`;
  assert.is((await shell(context, line("kcovfs symb"))).stdout, "symbolize\n");
  const { stdout } = await shell(context, line("kcovfs mount --collect"));
  assert.is(stdout, "--collector --collect-timeout\n");
});

pack("its types hold for those who import it", async (context) => {
  writeFileSync(
    join(context.folder, "user.mts"),
    `import { abi, Errno, type Filesystem, serve } from "kcovfs/fuse";
    import { type BlockTable, buildBlockTable, executedIn, linePositions } from "kcovfs/coverage";
    import "kcovfs/register";
    export const filesystem: Filesystem = { lookup() { throw new Errno("ENOENT"); } };
    export const mount: Promise<AsyncDisposable> = serve("/mnt", filesystem, { subtype: "x" });
    export const table: BlockTable = buildBlockTable("f()");
    export const positions: Uint32Array = linePositions("f()", table);
    export const blocks: number[] = executedIn(table, { scriptId: "1", url: "", functions: [] });
    export const version: number = abi.FUSE_KERNEL_VERSION;
    // @ts-expect-error: a source is text.
    buildBlockTable(1);`,
  );
  const options =
    "--strict --noEmit --module nodenext --target es2023 --lib es2023,esnext.disposable";
  const { stdout, status } = await shell(
    context,
    `${ROOT}node_modules/.bin/tsc ${options} --types node --typeRoots ${ROOT}node_modules/@types user.mts`,
  );
  assert.equal([stdout, status], ["", 0]);
});

for (const [version, node] of Object.entries(NODES)) {
  pack(`on ${version} the doctor finds that all works, and the demo runs`, async (context) => {
    const [doctor, demo] = await Promise.all([
      shell(context, "kcovfs doctor", { node }),
      runDemo(context, node),
    ]);
    assert.is(doctor.status, 0, doctor.stdout + doctor.stderr);
    assert.match(doctor.stdout, new RegExp(`^ok +Node +${version.slice(5)}\\.`, "m"));
    assert.match(doctor.stdout, /^ok +round trip, v8/m);
    assert.match(doctor.stdout, /^ok +round trip, trace/m);
    assert.is(demo.status, 0, demo.stdout + demo.stderr);
    assert.match(demo.stdout, /messages\/malformed: \d+ PCs/);
    assert.match(demo.stdout, /rules\.mjs:\d+/);
  });

  pack(`on ${version} what it exports can be imported, and runs`, async (context) => {
    writeFileSync(
      join(context.folder, "user.mjs"),
      `import { abi } from "kcovfs/fuse";
      import { buildBlockTable } from "kcovfs/coverage";
      console.log(abi.FUSE_KERNEL_VERSION, buildBlockTable("if (a) b()").blockStart.length);`,
    );
    const { stdout, stderr } = await shell(context, "node user.mjs", { node });
    assert.equal([stdout, stderr], ["7 2\n", ""]);
  });
}

/** The steps of a user with the package's examples. */
async function runDemo(context: Context, node: string): Promise<Finished> {
  const { home, scene } = context;
  const bin = mkdtempSync(join(scene.folder, "bin-"));
  const compile = ["trace", "mutate"].map((client) =>
    `cc -O2 -o ${bin}/${client} ${home}/examples/clients/${client}.c`
  );
  const demo = `kcovfs fuzz --state ${bin}/state -- sh ${home}/examples/demo.sh ${bin}`;
  return await shell(context, [...compile, demo].join(" && "), { node });
}

pack.run();
