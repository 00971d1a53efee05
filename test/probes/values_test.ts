/** If a script's value matters, as that of `eval` does, it is the same with probes. */
import { runInThisContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { prepare } from "../../src/probes/prepare.ts";
import { trace } from "./same_behaviour.ts";

const values = suite("probes/values");

const SCRIPTS = [
  "",
  "1 + 1",
  "'use strict'",
  "'use strict'; 'another'",
  "5; {}",
  "5; if (true) {}",
  "5; if (false) {} else ;",
  "5; if (true) var a = 1",
  "if (true) 5; else 6",
  "if (false) 5; else 6",
  "5; if (true) { if (false) { 6 } }",
  "7; try { 8 } finally { 9 }",
  "7; try { throw 8 } catch { 9 }",
  "7; try { throw 8 } catch {}",
  "7; try { throw 8 } catch { 9 } finally { 10 }",
  "1; for (var i = 0; i < 3; i++) i",
  "1; for (var i = 0; i < 3; i++) { if (i === 1) continue; i }",
  "1; for (var i = 0; i < 3; i++) { if (i === 1) break; i }",
  "1; for (var i of [2, 3]) ;",
  "1; while (false) ;",
  "do { 3; break } while (true)",
  "l: { 4; break l; }",
  "l: for (;;) { 4; for (;;) { 5; break l } }",
  "9; switch (1) { case 1: }",
  "9; switch (1) { case 1: 10; case 2: 11; break; default: 12 }",
  "9; switch (3) { case 1: 10; break; default: }",
  "8; var b = 1",
  "8; let c = 1; const d = 2; class E { static { d } }",
  "8; function f() { return 1 }",
  "8; class G { a = 1; static b = 2 }",
  "(function () { if (true) { return 3 } })()",
  "[1, 2].map((x) => x > 1 ? x : 0).join()",
  "1 ? 2 : 3",
  "0 || 4",
  "null ?? 5",
  "6;;;",
  "debugger; 7",
];

for (const source of SCRIPTS) {
  values(`of ${JSON.stringify(source)}`, () => {
    const scoped = (text: string) =>
      JSON.stringify(runInThisContext(`(0, eval)(${JSON.stringify(text)})`));
    const { code } = prepare(source, { isModule: false, keepsValue: true })
      .emit({ firstPc: 0, url: "a.js" });
    const expected = scoped(source);
    trace.length = 0;
    assert.is(scoped(code), expected, code);
    if (source !== "") assert.ok(trace.length > 0);
  });
}

values.run();
