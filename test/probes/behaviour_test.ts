import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultOf, probed, resultOf, trace } from "./same_behaviour.ts";

const test = suite("probes/behaviour");

/** A sentence about a source, and the body of a function, whose value stays. */
const BODIES: [what: string, body: string][] = [
  ["a directive stays the first thing", `"use strict"; "x"\nreturn this === undefined`],
  ["a directive of a function", `return (function () { 'use strict'\nreturn typeof this })()`],
  [
    "an arrow's",
    `return (() => { "use strict"; return (function () { return this })() })() == null`,
  ],
  ["the names of arrows", `let a = () => {}; a ||= 1; return [a.name, ((b) => b).name]`],
  [
    "the names of what is chosen",
    `let a = 1 ? () => {} : 0, b = 0 || function () {}; return [a.name, b.name]`,
  ],
  [
    "the names of logical assignments",
    `let a, b = 1; a ??= () => {}; b &&= class {}; return [a.name, b.name]`,
  ],
  [
    "the names of defaults",
    `let { a = () => {}, b: [c = class {}] = [] } = {}; return [a.name, c.name]`,
  ],
  [
    "the names of properties",
    `return Object.values({ a: () => {}, "b c": class {}, [1 + 1]() {} }).map((f) => f.name)`,
  ],
  ["the name of a first field", `class A { a = () => {} } return new A().a.name`],
  [
    "the name of a private first field",
    `class A { #a = function () {}; b = this.#a.name } return new A().b`,
  ],
  [
    "the names of fields with other keys",
    `class A { "a b" = (() => {}) } class B { 0x10 = class {} } return [new A()["a b"].name, new B()[16].name]`,
  ],
  [
    "a field that is called __proto__",
    `class A { __proto__ = () => 1 } return [Object.hasOwn(new A(), "__proto__"), new A().__proto__.name]`,
  ],
  [
    "`super` in a first field",
    `class A { m() { return 7 } } class B extends A { a = () => super.m() } return new B().a()`,
  ],
  ["`this` in a first field", `class A { a = () => this.b; b = 2 } return new A().a()`],
  [
    "a first field with a computed name",
    `let k = "z"; class A { [k] = () => 1 } class B { [k]\n[k + 1] = 2 } return [new A().z.name, Object.keys(new B())]`,
  ],
  [
    "fields without values and semicolons",
    `class A { a\n["b"]\nstatic c\nget; set = 1 } return [Object.keys(new A()), Object.keys(A)]`,
  ],
  [
    "fields of one object made twice",
    `class A { constructor(o) { return o } } class B extends A { x = 1 } let o = {}; new B(o); new B(o); return o`,
  ],
  [
    "fields on an object that is not extensible",
    `class A { constructor(o) { return o } } class B extends A { x } try { new B(Object.freeze({})) } catch (e) { return e.name }`,
  ],
  [
    "static fields and blocks in order",
    `let s = ""; class A { static a = s += "a"; static { if (s) s += "b" } static { s += "c" } } return s`,
  ],
  [
    "`this` in static blocks",
    `class A { static x = 3; static { this.y = this.x ? 1 : 2 } } return A.y`,
  ],
  [
    "a call of `super` after other things",
    `class A {} class B extends A { constructor(a) { if (a) a = 2; super(); this.a = a } } return new B(1).a`,
  ],
  [
    "`this` before `super`",
    `class A {} class B extends A { constructor() { this.a === 1; super() } } try { new B() } catch (e) { return e.name }`,
  ],
  [
    "the receiver of `super.x()`",
    `class A { m() { return this.v } } class B extends A { v = 5; m() { return 1 ? super.m() : 0 } } return new B().m()`,
  ],
  [
    "private names",
    `class A { #a = 1; b(o) { return [#a in o, o?.#a, o?.#a === 1, null?.#a] } } return new A().b(new A())`,
  ],
  [
    "private methods behind links",
    `class A { #m() { return this.v } v = 3; b(o) { return [o?.#m(), o?.#m?.(), (void 0)?.#m()] } } return new A().b(new A())`,
  ],
  [
    "`new.target`",
    `function F() { return [new.target === F, new.target?.name] } return [new F(), F()]`,
  ],
  ["tagged templates", "let f = (s, ...v) => [s.raw, v]; return f`a${1 ? 2 : 3}\\n${f`b`}`"],
  [
    "a tag's receiver",
    "let o = { v: 1, f() { return this.v } }; return [o.f``, (o.f)``, (0 || o.f) === o.f]",
  ],
  [
    "`delete` of links",
    `let a = { b: { c: 1 } }; return [delete a?.b.c, a, delete a?.b, a, delete null?.x]`,
  ],
  [
    "the receiver of optional calls",
    `let a = { v: 4, b() { return this.v } }; return [a?.b(), a.b?.(), a?.["b"]?.(), (a?.b)(), (a.b)?.(), (a?.b)?.()]`,
  ],
  [
    "optional calls without arguments",
    `let f = function () { return arguments.length }; return [f?.(), f?.(1, 2), ({ f }).f?.(), ({ f }).f?.(...[1, 2])]`,
  ],
  [
    "optional calls of nothing",
    `let n = 0, a = {}; a.b?.(n++); a?.c?.d?.[n++]; null?.[n++].x.y(n++); return n`,
  ],
  [
    "the receiver of parenthesised calls",
    `let a = { v: 4, b() { return this?.v } }; return [(a.b)(), (0, a.b)?.call(1), (1 && a.b).call(a)]`,
  ],
  [
    "direct and indirect `eval`",
    `let a = 1; globalThis.a = 2; try { return [eval("a"), (0, eval)("a"), eval?.("a"), 1 ? eval("a") : 0] } finally { delete globalThis.a }`,
  ],
  ["`eval` that declares", `function f(b) { eval("var c = b"); return c === b } return f(1)`],
  ["`typeof` of what is not declared", `return [typeof nothing, typeof (1 ? nothing_ : 0)]`],
  [
    "destructuring",
    `let { a = 1 ? 2 : 3, ...b } = { c: 1 }, [d = b.c === 1, [...e] = "xy"] = []; ({ a: b.a, ["c"]: b["c"] } = { a: 5, c: 6 }); return [a, b, d, e]`,
  ],
  [
    "parameters",
    `function f(a, b = a || 2, { c = b === 2 } = {}, ...d) { return [a, b, c, d, f.length, arguments.length] } return f(0, undefined, undefined, 1)`,
  ],
  [
    "\`arguments\` that are the parameters",
    `function f(a) { arguments[0] = 2; return [a, arguments.length] } return f(1)`,
  ],
  [
    "parameters that see \`eval\` and \`arguments\`",
    `let f = function (a = arguments.length, b = eval("a ? 1 : 2")) { return [a, b] }; return f()`,
  ],
  [
    "arrows that return objects",
    `let f = () => ({ a: 1 }), g = () => [] ?? 1, h = async () => ({}); return [f(), g(), (x => x ? { x } : null)(1)]`,
  ],
  ["arrows with commas and more arrows", `return ((a) => (b) => (a, b))(1)(2)`],
  [
    "spread",
    `let a = [1, 2]; return [...a, ...(a ? a : []), Math.max(...a?.map((x) => x)), { ...(a && { a }) }]`,
  ],
  ["sequences", `let a = 0; return (a++, a ? (a++, a) : 0, a && (a, a + 1))`],
  [
    "`in` at the beginning of a loop",
    `let s = []; for (let i = 1 ? ("a" in { a: 1 }) : 0; i; i = false) s.push(i); for (var k in 0 || { b: 1 }) s.push(k); return s`,
  ],
  [
    "labels",
    `a: for (let i = 0;;) { b: { if (i++ > 2) break a; if (i) continue a; break b } } c: { break c } d: break d; return 1`,
  ],
  [
    "a label of a declaration",
    `l: function f() { return 1 }\nif (1) function g() { return 2 }\nreturn [f(), g()]`,
  ],
  [
    "bodies without braces",
    `let s = 0; if (0) ; else if (1) s++; else s = 9\nfor (const a of [1, 2]) if (a > 1) s += a; else s += 5\ndo s++; while (s < 20) while (s < 30) s++\nreturn s`,
  ],
  ["`do` in a `do`", `let i = 0; do do i++; while (i < 3) while (i < 5); return i`],
  [
    "`var` and functions in bodies",
    `if (1) var a = 1; for (;;) { var b = f(); break; function f() { return 2 } } return [a, b]`,
  ],
  [
    "an exception's way",
    `let s = ""; try { try { throw 1 } catch (e) { s += e; throw 2 } finally { s += "f" } } catch { s += "c" } finally { s += "g" } return s`,
  ],
  [
    "`return` out of `finally`",
    `let s = ""; function f() { try { return s += 1 } catch {} finally { s += 2 } } return [f(), s]`,
  ],
  [
    "what follows a handler before `finally`",
    `let s = ""; for (const t of [0, 1]) try { if (t) throw 1 } catch { continue } finally { s += t } return s`,
  ],
  [
    "a catch with a pattern",
    `try { throw { a: 1 } } catch ({ a, b = a ? 2 : 3 }) { let c = b; return [a, b, c] }`,
  ],
  [
    "`with`",
    `let o = { a: 1 }; with (o) { if (a) { a = a === 1 ? 2 : 3 } (() => { b = a || 1 })() } var b; return [o, b]`,
  ],
  [
    "an object that is asked for every name",
    `let s = []; with (new Proxy({}, { has: (_, k) => (s.push(k), false) })) { if (JSON === 1) s; for (;;) break } return s`,
  ],
  ["an HTML-like comment", `let a = 1 <!-- ? 2 : 3\n--> nothing\nreturn a ? 4 : 5`],
  [
    "generators",
    `function* g(a) { const b = yield a ? 1 : 2; if (b === 3) yield* [4, 5]; return yield } const i = g(1); return [i.next(), i.next(3), i.next(), i.next(), i.next(6)]`,
  ],
  [
    "a generator that is never resumed does nothing",
    `let n = 0; function* g() { n++ } g(); return n`,
  ],
  [
    "what `yield` is worth",
    `function* g() { return [1 + (yield), (yield 1, yield 2) ? yield 3 : 4] } const i = g(); for (let r, n = 0; ; n++) if ((r = i.next(n)).done) return [n, r.value]`,
  ],
  [
    "async functions and arrows",
    `return (async () => { const f = async (x) => await x + 1, g = async x => x ? await x : 0; return [await f(1), await g(2), await await 3, (await [4])[0]] })()`,
  ],
  [
    "what precedes `await`",
    `return (async () => { const a = [1]; let s = -await 1; s += !await 0; return [s, await a[0] || 0, typeof await 1, void await 1] })()`,
  ],
  [
    "`for await`",
    `return (async () => { let s = 0; for await (const a of [1, Promise.resolve(2)]) if (a === await a) s += a; return s })()`,
  ],
  [
    "async generators",
    `return (async () => { async function* g() { const a = await 1; yield a ? 2 : 3; yield* [4] } const s = []; for await (const a of g()) s.push(a); return s })()`,
  ],
  [
    "accessors",
    `let o = { v: 1, get a() { return this.v || 2 }, set a(x) { this.v = x ?? 3 } }; o.a = null; class A { static get b() { return 1 ? 4 : 5 } } return [o.a, A.b]`,
  ],
  [
    "methods of every kind",
    `let o = { async a() { return 1 }, *b() { yield 2 }, ["c"]() { return 3 }, get() { return 4 }, async() { return 5 }, static() { return 6 } }; return [[...o.b()], o.c(), o.get(), o.async(), o.static()]`,
  ],
  [
    "a function's length",
    `return [((a, b) => a ? b : 0).length, (function (a = 1, b) {}).length, (function* (a) {}).length]`,
  ],
];

for (const [what, body] of BODIES) {
  test(`${what}: nothing changes`, async () => {
    const code = probed(body);
    assert.is(code.split("\n").length, body.split("\n").length);
    assert.is(await resultOf(code), await resultOf(body));
  });
}

const MODULES: [what: string, source: string][] = [
  ["a default function", "export default function () { return 1 ? 2 : 3 }"],
  ["a default arrow", "export default () => 1 || 2"],
  ["a default class", "export default class { static a = 1; b = 2 }"],
  ["a default value", "const a = { b: 1 }\nexport default a.b === a.c"],
  ["an await", "export default await (async () => 1 ? [await 2] : 3)()"],
  ["an await as an operand", "const a = await 1\nawait 2\nexport default a === await 1"],
  ["what is like a comment elsewhere", "let a = 2, b = 1\nexport default a<!--b ? 3 : 4"],
  ["`import.meta`", "export default typeof import.meta?.url"],
  [
    "imports",
    "import { join } from 'node:path'\nimport * as a from 'node:os'\nexport default join('a', 'b') === 'a/b' && a?.EOL",
  ],
];

for (const [what, source] of MODULES) {
  test(`${what} of a module: nothing changes`, async () => {
    assert.is(await defaultOf(probed(source, { isModule: true })), await defaultOf(source));
  });
}

test("blocks are told in the order in which they are executed, each time", async () => {
  trace.length = 0;
  await resultOf(probed("for (const a of [1, 0, 1]) { if (a) { a } } 1;"));
  const [start, body, then, rest] = [0, 8, 16, 24];
  assert.equal(trace, [start, body, then, body, body, then, rest]);
});

test.run();
