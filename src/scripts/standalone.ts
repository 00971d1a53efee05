import { PROBE_NAMES } from "../probes/probe_names.ts";
import type { ProbedScript } from "./pipeline.ts";

/** Hits after which probes stop if nobody takes them. */
const MOST_HITS = 1 << 22;

/** The probes' functions where there is no agent: they keep hits and ignore comparisons. */
const FUNCTIONS: Readonly<Record<keyof typeof PROBE_NAMES, string>> = {
  hit: "h",
  pass: "(p,v)=>(h(p),v)",
  some: "(p,v)=>(v!==null&&v!==void 0&&h(p),v)",
  none: "p=>(h(p),[])",
  constant: "(_,v)=>v",
  compare: "(_,l,r)=>r",
  cases: "(_,v)=>v",
  text: "(_,k,t,s)=>s",
  code: "(_,e,c)=>c",
  held: "{}",
};

/** A probe as it is written; a text that only mentions probes does not match. */
const PROBE = new RegExp(`\\b${PROBE_NAMES.hit}\\(-?\\d`);

/** Any kind of probe, with the lower half of its PC. */
const PROBES = new RegExp(`\\b(?:${Object.values(PROBE_NAMES).join("|")})\\((-?\\d+)`, "g");

/** The name of the function that returns the PCs that were hit since its last call. */
export const TAKE_HITS = "__kcov_take";

/**
 * Makes a script with probes run anywhere. It defines the functions that probes call, unless they exist,
 * before the first probe, which is after directives. No line is added.
 */
export function withPrelude({ code, firstPc }: Pick<ProbedScript, "code" | "firstPc">): string {
  const at = code.indexOf(`${PROBE_NAMES.hit}(${firstPc | 0})`);
  if (at < 0) return code;
  const start = code[at - 1] === ";" ? at - 1 : at;
  return `${code.slice(0, start)};${prelude()}${code.slice(at)}`;
}

function prelude(): string {
  const functions = Object.entries(PROBE_NAMES).map(([role, name]) =>
    `${name}:${FUNCTIONS[role as keyof typeof FUNCTIONS]}`
  );
  const take = `${TAKE_HITS}:()=>{const t=[...a.subarray(0,n)];n=0;return t}`;
  return `(g=>{if("${PROBE_NAMES.hit}"in g)return;let a=new Int32Array(4096),n=0;` +
    `const h=p=>{if(n===a.length){if(n===${MOST_HITS})return;` +
    "const b=new Int32Array(2*n);b.set(a);a=b}a[n++]=p};" +
    `for(const[k,value]of Object.entries({${[...functions, take]}}))` +
    "Object.defineProperty(g,k,{value})})(globalThis);";
}

/** Whether a script has probes already. */
export function hasProbes(source: string): boolean {
  return PROBE.test(source);
}

/** The lower halves of the PCs of probes that are already in a script. */
export function* probedPcs(source: string): Generator<number> {
  for (const [, pc] of source.matchAll(PROBES)) yield Number(pc);
}
