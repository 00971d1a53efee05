import { suite } from "uvu";
import * as assert from "uvu/assert";
import { probed, resultOf } from "./same_behaviour.ts";

const test = suite("probes/comparison_behaviour");

/** A sentence about comparisons, and the body of a function, whose value stays. */
const BODIES: [what: string, body: string][] = [
  [
    "a getter among the globals is asked once",
    `let n = 0; Object.defineProperty(globalThis, "once", { configurable: true, get: () => ++n }); try { return [once === 1, 2 === once, once < 3, once == once] } finally { delete globalThis.once }`,
  ],
  [
    "what is compared is evaluated once, in order",
    `let s = ""; let o = { get a() { s += "a"; return 1 }, get b() { s += "b"; return 1 }, f(x) { s += x; return this } }; [o.a === o.b, o.f("1").a < o.f("2").b, o.f("3").b == 1, 2 >= o.f("4").a]; return s`,
  ],
  [
    "operands that are converted",
    `let s = ""; let v = (n) => ({ valueOf() { s += n; return n } }); return [v(1) < v(2), v(3) > 2, "3" == v(3), s]`,
  ],
  [
    "comparisons within comparisons",
    `let o = { a: 1, b: { c: true } }; return [(o.a === o.b.c) === (o.b.c === o.a), o.a === 1 === o.b.c]`,
  ],
  [
    "comparisons while comparing",
    `let o = { n: 0, f(d) { return d === 0 ? 0 : this.n + 1 === this.f(d - 1) + 1 ? 1 : 2 } }; return o.f(5)`,
  ],
  [
    "a variable that changes while it is compared",
    `let a = 1; let f = () => a = 2; return [a === f(), a === (a = 3), a == 3]`,
  ],
  [
    "NaN, -0 and bigints",
    `let n = NaN; return [n === n, n !== NaN, -0 === 0, 1n == 1, 2n > 1, -1 < -0]`,
  ],
  [
    "a statement that begins with a comparison",
    `let a = { b: 1 }, c = 0\na.b === a.c && c++\na.b !== a.c && c++\n;"x".length === a.b || c++\nreturn c`,
  ],
  [
    "a keyword in front of a comparison",
    `let f = (a) => { switch (a) { case"x":return"y"===a; default: return[1][0]===1 } }; return [f("x"), f(1), typeof"x"==="string"]`,
  ],
  [
    "a `switch` by what has commas",
    `let f = (a) => { switch (0, a) { case 1: return "one"; case 2, 3: return "three"; default: return "none" } }; return [f(1), f(2), f(3)]`,
  ],
  [
    "a `switch` by what changes",
    `let n = 0; switch (n++, n) { case n: n = "same"; break; default: n = "other" } return n`,
  ],
  [
    "cases in order",
    `let s = ""; let t = (v) => (s += v, v); switch (2) { case t(1): case t(2): case t(3): s += "!" } return s`,
  ],
  [
    "cases that fall through",
    `let s = ""; switch (1) { default: s += "d"; case 0: s += 0; break; case 2: s += 2 } return s`,
  ],
  [
    "declarations in cases",
    `switch (1) { case 1: let a = 1; function f() { return a } return f() }`,
  ],
  [
    "methods of strings",
    `let a = { s: "abc" }; return [a.s.startsWith("ab"), a.s.endsWith("c", 3), a.s.includes("b", 2), "abc".indexOf(a.s), a.s.indexOf("c", -1), "".includes("")]`,
  ],
  [
    "what has such methods and is no string",
    `let a = { includes(x) { return [this === a, x, arguments.length] } }; return [a.includes(1, 2), [1].includes(1), [1, 2].indexOf(2), a?.includes(3), null?.x.includes(1)]`,
  ],
  [
    "a method of a string that is refused",
    `try { return "a".startsWith(/a/) } catch (e) { return e.name }`,
  ],
  [
    "exponents",
    `let a = { b: 2 }; return [a?.b ** 2, (-1) ** (a.b || 1), 2 ** (a.b === 2 ? 3 : 1)]`,
  ],
  ["negative constants", `let a = -1; return [a === -1, -1 === a, a < -0, a == - /* */ 1]`],
  [
    "constants over several lines",
    "let a = { b: 'x\\ny' }; return [a.b === `x\ny`, a.b === 'x\\\n\\ny', a.b === `x`]",
  ],
];

for (const [what, body] of BODIES) {
  test(`${what}: nothing changes`, async () => {
    const code = probed(body);
    assert.is(code.split("\n").length, body.split("\n").length);
    assert.is(await resultOf(code), await resultOf(body));
  });
}

test.run();
