/** A program with probes does not notice them: it prints the same as without. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, NODES, Scene } from "./harness.ts";

const PROGRAMS = fileURLToPath(new URL("../../../test/fixtures/programs/", import.meta.url));

interface Program {
  readonly args: readonly string[];
  readonly input?: string;
  /** The least number of scripts that are measured. @default {1} */
  readonly measured?: number;
}

const program = (name: string) => join(PROGRAMS, name);

const SAME: Record<string, Program> = {
  "what it says of positions and of its text": { args: [program("positions.cjs")] },
  "eval, Function and its kin, vm": { args: [program("made_scripts.cjs")], measured: 25 },
  "libraries that compile templates and schemas": {
    args: [program("templates.cjs")],
    measured: 20,
  },
  "a module that another does not export the name to": { args: [program("no_export.mjs")] },
  "what is preloaded, and as often": {
    args: ["--require", program("preloaded.cjs"), program("imports.mjs")],
  },
  "a text on the command line": {
    args: [
      "-e",
      "const f = (x) => { if (x) return eval('x ? new Error(`e`).stack : 0'); };" +
      " console.log(f(1).split('\\n').slice(0, 3), String(f), __filename)",
    ],
    measured: 2,
  },
  "the value of a text on the command line": { args: ["-p", "if (1) { 5 } else { 6 }"] },
  "a text on the command line that is wrong": { args: ["-e", "if (1) { foo( }"], measured: 0 },
  "a text on standard input": {
    args: [],
    input: "console.log((() => { if (1) return new Error('i').stack.split('\\n')[1]; })())",
  },
};

for (const [runtime, node] of Object.entries(NODES)) {
  const same = suite<{ scene: Scene }>(`as written, ${runtime}`);

  same.before(async (context) => {
    context.scene = new Scene();
    await context.scene.serve("--collector", "trace");
  });

  same.after(async ({ scene }) => {
    await scene[Symbol.asyncDispose]();
  });

  for (const [index, [what, { args, input, measured = 1 }]] of Object.entries(SAME).entries()) {
    same(what, async ({ scene }) => {
      const command = [node, ...args];
      const options = input === undefined ? {} : { input };
      const plain = await execute(command, options);
      const ours = await execute([...scene.run(`p${index}`), ...command], options);
      assert.is(ours.stdout, plain.stdout);
      assert.is(ours.stderr, plain.stderr);
      assert.is(ours.status, plain.status);
      const { stdout } = await scene.command("ps", "--all", "--json");
      const row = JSON.parse(stdout).find(({ name }: { name: string }) => name === `p${index}`);
      assert.ok(row.scripts >= measured, `${row.scripts} scripts, ${row.note}`);
    });
  }

  same("others who read V8's coverage get theirs", async ({ scene }) => {
    const [plain, ours] = await Promise.all([[], scene.run("covered")].map(async (before, i) => {
      const folder = join(scene.folder, `coverage-${i}`);
      const env = { NODE_V8_COVERAGE: folder };
      await execute([...before, node, program("templates.cjs")], { env });
      const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
      const scripts = files.flatMap((text) => JSON.parse(text).result) as { url: string }[];
      return scripts.filter(({ url }) => url.startsWith("file:") && url.endsWith("templates.cjs"));
    }));
    const rangesOf = (scripts: object[]) =>
      JSON.stringify(scripts, [
        "functions",
        "functionName",
        "ranges",
        "startOffset",
        "endOffset",
        "count",
      ]);
    assert.is(ours.length, 1);
    assert.is(rangesOf(ours), rangesOf(plain));
  });

  same("what libraries have made has PCs by its text and by who has made it", async ({ scene }) => {
    await execute([...scene.run("templates"), node, program("templates.cjs")]);
    const { stdout } = await scene.command("symbolize", "--all");
    const makers = ["ajv/dist/compile/index", "doT", "ejs", "javascript-compiler", "wrap"];
    for (const maker of makers) {
      assert.match(stdout, new RegExp(`${maker}\\.js\\.made-[0-9a-f]{8}\\.js:`));
    }
  });

  same.run();
}
