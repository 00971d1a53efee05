/** Scripts get probes as they are loaded, and programs behave the same with them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NODES } from "../../blocks/v8_answers.ts";
import { load, type LoadOptions, SAY } from "../loaded_world.ts";

const scripts = suite("agent/inside/loaded_scripts");

const MODULE = "export default 1;";
const WASM = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
/** Hooks that put something before a module. */
const USERS =
  "load(url, context, next) { const loaded = next(url, context); return url.endsWith('/b.mjs')" +
  " ? { ...loaded, source: `globalThis.user = 'seen';${loaded.source}` } : loaded; }";

interface Program extends LoadOptions {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** Its output: the files that have run with probes, in order. */
  readonly says: string;
  /** A file, and the text in its source when its probes are asked for. */
  readonly asks?: readonly [file: string, text: string];
  /** By V8's version: another output, or undefined where it is not run. */
  readonly others?: Readonly<Record<string, string | undefined>>;
}

const NO_HOOKS = { "11.3": undefined };
const NO_TYPES = { "11.3": undefined };

const PROGRAMS: Record<string, Program> = {
  "CommonJS by require, and no JSON": {
    main: "main.cjs",
    files: {
      "main.cjs": `${SAY} require("./a.cjs"); require("./d.json");`,
      "a.cjs": "'use strict'; exports.a = 1;",
      "d.json": "{}",
    },
    says: "main.cjs,a.cjs",
  },
  "modules, CommonJS and `data:` by import, and no JSON": {
    files: {
      "main.mjs": `${SAY} import "./a.cjs"; import "./b.mjs"; import d from "./d.json" with {` +
        ' type: "json" }; await import("./c.mjs"); await import("data:text/javascript,1");',
      "a.cjs": "exports.a = 1;",
      "b.mjs": MODULE,
      "c.mjs": MODULE,
      "d.json": "{}",
    },
    says: "a.cjs,b.mjs,main.mjs,c.mjs,data:text/javascript,1",
  },
  "no WebAssembly": {
    args: ["--experimental-wasm-modules", "--no-warnings"],
    files: { "main.mjs": `${SAY} import "./a.wasm";`, "a.wasm": WASM },
    says: "main.mjs",
  },
  "modules by require": {
    main: "main.cjs",
    files: {
      "main.cjs": `${SAY} require("./b.mjs");`,
      "b.mjs": 'import "./c.mjs";',
      "c.mjs": MODULE,
    },
    says: "main.cjs,c.mjs,b.mjs",
  },
  "what imported CommonJS requires, as it does without": {
    files: {
      "main.mjs": `${SAY} import { found } from "./a.cjs"; console.log(found);`,
      "a.cjs": 'exports.found = require("dual"); require("./b.mjs");',
      "b.mjs": 'import "./c.cjs";',
      "c.cjs": "",
      "node_modules/dual/package.json": '{"exports":{"import":"./i.mjs","require":"./r.cjs"}}',
      "node_modules/dual/r.cjs": "module.exports = 'required';",
      "node_modules/dual/i.mjs": "export default 'imported';",
    },
    says: "required a.cjs,node_modules/dual/r.cjs,c.cjs,b.mjs,main.mjs",
  },
  "a CommonJS main script after --import": {
    args: ["--import", "./p.mjs"],
    main: "main.cjs",
    files: { "main.cjs": `${SAY} console.log(require.main === module);`, "p.mjs": MODULE },
    says: "true p.mjs,main.cjs",
  },
  "what has types, however it is loaded": {
    main: "main.mts",
    files: {
      "main.mts": `${SAY} import { a } from "./a.ts"; import "./b.cts"; const b: number = a;`,
      "a.ts": "export const a: number = 1;",
      "b.cts": 'const b: number = 1; require("./c.cts");',
      "c.cts": "const c: number = 1;",
      "package.json": '{"type":"module"}',
    },
    says: "a.ts,b.cts,c.cts,main.mts",
    // Node has a `require` of its own for such files, before pull request 60380.
    others: { ...NO_TYPES, "13.6": "a.ts,b.cts,main.mts" },
  },
  "no types that Node cannot strip, of which it says so": {
    main: "main.mts",
    files: {
      "main.mts": `${SAY} for (const name of ["./enum.ts", "./bad.cts"]) ` +
        "await import(name).catch(({ code }) => console.log(code));",
      "enum.ts": "enum A { B }",
      "bad.cts": "let let: = 1;",
      "package.json": '{"type":"module"}',
    },
    says: "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX ERR_INVALID_TYPESCRIPT_SYNTAX main.mts",
    others: NO_TYPES,
  },
  "no syntax errors, of which Node says what they are": {
    main: "main.cjs",
    files: {
      "main.cjs": `${SAY} try { require("./a.cjs"); } catch (error) { console.log(error.name); }` +
        ' import("./b.mjs").catch(({ name }) => console.log(name));',
      "a.cjs": "function (",
      "b.mjs": "import from",
    },
    says: "SyntaxError SyntaxError main.cjs",
  },
  "what transpilers have made": {
    main: "main.cjs",
    files: {
      "main.cjs": `${SAY} require("./hook.cjs"); require("./a.js"); console.log(globalThis.user);`,
      "hook.cjs": `const { _extensions } = require("module"); const load = _extensions[".js"];
        _extensions[".js"] = (module, file) => {
          const compile = module._compile;
          module._compile = (code, file) => compile.call(module, "globalThis.user = 'seen';" + code, file);
          load(module, file);
        };`,
      "a.js": "exports.a = 1;",
    },
    says: "seen main.cjs,hook.cjs,a.js",
    asks: ["a.js", "globalThis.user"],
  },
  "what hooks have made that were registered later": {
    files: {
      "main.mjs":
        `${SAY} import { registerHooks } from "node:module"; registerHooks({ ${USERS} });` +
        ' await import("./b.mjs"); console.log(globalThis.user);',
      "b.mjs": MODULE,
    },
    says: "seen main.mjs,b.mjs",
    asks: ["b.mjs", "user"],
    others: NO_HOOKS,
  },
  "what hooks have made that were registered before": {
    args: ["--require", "./first.cjs"],
    files: {
      "first.cjs": `require("module").registerHooks({ ${USERS} });`,
      "main.mjs": `${SAY} import "./b.mjs"; console.log(globalThis.user);`,
      "b.mjs": MODULE,
    },
    says: "seen first.cjs,b.mjs,main.mjs",
    asks: ["b.mjs", "user"],
    others: NO_HOOKS,
  },
  "with hooks on Node's own thread, which are not measured": {
    args: ["--no-warnings"],
    files: {
      "main.mjs": `${SAY} import { register } from "node:module";` +
        ' register(new URL("./hooks.mjs", import.meta.url));' +
        ' await import("./b.mjs"); console.log(globalThis.user);',
      "hooks.mjs": `export async ${
        USERS.replace("{ const", "{ const").replace("next(", "await next(")
          .replace("load(", "function load(")
      }`,
      "b.mjs": MODULE,
    },
    says: "seen main.mjs,b.mjs",
    asks: ["b.mjs", "user"],
  },
  "what hooks on Node's own thread have made of what is no JavaScript": {
    args: ["--no-warnings"],
    files: {
      "main.mjs": `${SAY} import module from "node:module";` +
        ' for (const name of ["./typed.mjs", "./none.mjs"]) module.register(name, import.meta.url);' +
        ' await import("./b.typed");',
      "typed.mjs": "export async function load(url, context, next) {" +
        " if (!url.endsWith('.typed')) return next(url, context);" +
        " const { source } = await next(url, { ...context, format: 'module' });" +
        " return { format: 'module', shortCircuit: true, source: String(source).replace(': number', '') }; }",
      "none.mjs": "export const load = (url, context, next) => next(url, context);",
      "b.typed": "const one: number = 1; export default one;",
    },
    says: "main.mjs,b.typed",
    asks: ["b.typed", "const one = 1"],
  },
  "worker threads' scripts, and the main thread's when those have ended": {
    files: {
      "main.mjs": `${SAY} import { once } from "node:events";
        import { Worker } from "node:worker_threads";
        for (const name of ["./w.mjs", "./x.cjs"]) {
          const worker = new Worker(new URL(name, import.meta.url));
          const [[ran]] = await Promise.all([once(worker, "message"), once(worker, "exit")]);
          console.log(ran);
        }
        await import("./late.mjs"); await import("./late.cjs");`,
      "w.mjs": 'import "./c.cjs"; import { parentPort } from "node:worker_threads";' +
        " parentPort.postMessage(ran.join());",
      "x.cjs": 'require("./d.cjs"); require("worker_threads").parentPort.postMessage(ran.join());',
      "c.cjs": "",
      "d.cjs": "",
      "late.mjs": MODULE,
      "late.cjs": "",
    },
    says: "c.cjs,w.mjs x.cjs,d.cjs main.mjs,late.mjs,late.cjs",
  },
  "nothing that gets no probes": {
    without: "a.cjs",
    files: { "main.mjs": `${SAY} import "./a.cjs";`, "a.cjs": "" },
    says: "main.mjs",
  },
};

for (const { v8, path: node } of NODES) {
  for (const [what, { files, says, asks, others = {}, ...options }] of Object.entries(PROGRAMS)) {
    const said = v8 in others ? others[v8] : says;
    if (said === undefined) continue;
    scripts(`V8 ${v8} gives probes to ${what}`, async () => {
      const { status, stdout, stderr, asked, sources } = await load(node, files, options);
      assert.equal([status, stderr], [0, ""]);
      assert.is(stdout.trim().split("\n").join(" "), said);
      if (asks) assert.ok(sources.get(asks[0])!.includes(asks[1]));
      assert.is(new Set(asked).size, asked.length, `asked for ${asked}`);
    });
  }

  scripts(`V8 ${v8} names what has no path as its caller does`, async () => {
    const files = {
      "main.cjs": `${SAY} const Module = require("module"); const made = new Module("made");
        made._compile("exports.a = 1", "made.js"); new Module("x")._compile("1", "/made up.js");`,
    };
    const { asked, stdout, stderr } = await load(node, files, { main: "main.cjs" });
    assert.equal([asked.slice(0, 2), stderr], [["main.cjs", "made.js"], ""]);
    assert.match(asked[2], /made up\.js$/);
    assert.match(stdout, /^main\.cjs,made\.js,/);
  });
}

scripts.run();
