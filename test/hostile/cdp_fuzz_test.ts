/** Inspectors and browsers whose answers and events make no sense. */
import { suite } from "uvu";
import { pickScripts } from "../../src/messages/script_slices.ts";
import type { CdpTransport } from "../../src/targets/cdp/transport.ts";
import { Browser } from "../../src/targets/chromium/browser.ts";
import { BrowserConnection } from "../../src/targets/chromium/browser_connection.ts";
import type { TargetHost } from "../../src/targets/attach/connector.ts";
import { InspectorLink } from "../../src/targets/inspector_link.ts";
import type { Link } from "../../src/targets/link.ts";
import { LinkWorld } from "../targets/chromium/link_world.ts";
import { FakeInspector } from "../targets/fake_inspector.ts";
import { fuzz } from "./fuzzing.ts";
import { mutateBytes, mutatedJsonText, mutateJson, shown } from "./mutate_text.ts";
import { Random } from "./random.ts";

const cdp = suite("hostile, CDP");

const COVERAGE = [{
  scriptId: "1",
  url: "file:///a.js",
  functions: [{
    functionName: "f",
    ranges: [{ startOffset: 0, endOffset: 9, count: 1 }],
    isBlockCoverage: true,
  }],
}];

/** V8's answer to each command. */
const ANSWERS: Record<string, object> = {
  "Runtime.evaluate": { result: { type: "object", objectId: "7", value: [1, 2] } },
  "Runtime.awaitPromise": { result: { type: "number", value: 0 } },
  "Runtime.getIsolateId": { id: "v8" },
  "Profiler.takePreciseCoverage": { result: COVERAGE, timestamp: 1 },
  "Debugger.getScriptSource": { scriptSource: "a" },
  "Profiler.startPreciseCoverage": { timestamp: 1 },
};

const EVENTS: readonly { readonly method: string; readonly params: object }[] = [
  { method: "Debugger.paused", params: { callFrames: [], reason: "other", hitBreakpoints: ["1"] } },
  { method: "Debugger.resumed", params: {} },
  { method: "Debugger.scriptParsed", params: { scriptId: "1", url: "file:///a.js" } },
  { method: "NodeRuntime.waitingForDisconnect", params: {} },
  { method: "Runtime.executionContextDestroyed", params: { executionContextId: 1 } },
  { method: "Runtime.consoleAPICalled", params: { type: "log", args: [] } },
  { method: "Page.frameStartedNavigating", params: { frameId: "main", navigationType: "reload" } },
  { method: "Page.frameStoppedLoading", params: { frameId: "main" } },
  { method: "Page.frameNavigated", params: { frame: { id: "main", url: "http://a/" } } },
  { method: "Page.javascriptDialogOpening", params: { hasBrowserHandler: false, type: "alert" } },
  { method: "Inspector.targetCrashed", params: {} },
  { method: "Inspector.targetReloadedAfterCrash", params: {} },
];

/** An inspector's behaviour, all of it from a seed. */
interface Script {
  readonly seed: number;
  readonly isBrowser: boolean;
}

/** An object that is mostly correct; an error; or no answer. */
function answer(method: string, random: Random): object | string | undefined {
  const usual = ANSWERS[method] ?? {};
  if (random.chance(60)) return usual;
  if (random.chance(10)) return "refused";
  if (random.chance(3)) return undefined;
  const other = mutateJson(mutateJson(usual, random), random);
  return typeof other === "object" && other !== null ? other : { result: other };
}

function event(random: Random): string {
  const { method, params } = random.pick(EVENTS);
  if (random.chance(40)) return JSON.stringify({ method, params });
  if (random.chance(60)) return JSON.stringify({ method, params: mutateJson(params, random) });
  const id = random.below(30);
  const reply = {
    id,
    ...random.pick([{ result: {} }, { error: null }, { error: { message: 1 } }]),
  };
  return mutatedJsonText(random.pick([{ method, params }, reply]), random);
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/**
 * Settles when the work does, or after a while: it is for the caller to wait for an answer that never comes.
 */
const inTime = (work: PromiseLike<unknown>) =>
  Promise.race([work.then(() => {}, () => {}), wait(15)]);

async function drive(link: Link, { random, say }: { random: Random; say: () => void }) {
  for (let i = 1 + random.below(5); i > 0; i--) {
    for (let events = random.below(3); events > 0; events--) say();
    switch (random.below(5)) {
      case 0:
      case 1:
        await inTime(link.stop({ run: random.below(2) * 50, hold: random.chance(70) }));
        break;
      case 2:
        await inTime(link.fetchSources(["1", "2"]));
        break;
      case 3:
        link.ignore(["1"]);
        break;
      default:
        link.release();
    }
  }
  await inTime(link[Symbol.asyncDispose]());
}

async function driveInspector(random: Random): Promise<void> {
  const inspector = new FakeInspector();
  inspector.isBusy = random.chance(30);
  for (const method of Object.keys(ANSWERS)) {
    inspector.answers.set(method, () => answer(method, random));
  }
  const starting = InspectorLink.start(inspector, {
    runtime: random.pick(["node v24.0.0", "deno 2.9.5"]),
    timeout: 10,
    onFarewell: () => Promise.resolve(),
    onBroken() {},
  });
  const say = () => inspector.say(event(random));
  if (random.chance(30)) say();
  const link = await starting.catch(() => undefined);
  if (link) await drive(link, { random, say });
}

async function driveBrowser(random: Random): Promise<void> {
  const world = new LinkWorld();
  const opened = await Promise.race([world.open("1", "2").catch(() => undefined), wait(15)]);
  if (!opened) return;
  const { page, link } = opened;
  for (const method of Object.keys(ANSWERS)) page.answers.set(method, () => answer(method, random));
  await drive(link, { random, say: () => page.sayText(event(random)) });
}

cdp("what an inspector says, and answers, never throws where nobody catches", () =>
  fuzz<Script>({
    name: "cdp",
    ...{ reduced: 100, full: 10_000 },
    make: (random) => ({ seed: random.u32(), isBrowser: random.chance(50) }),
    check: async ({ seed, isBrowser }) => {
      const random = new Random(seed);
      await (isBrowser ? driveBrowser(random) : driveInspector(random));
      // Late errors must be noticed with this input, not with the next.
      await wait(1);
    },
    show: (script) => JSON.stringify(script),
  }));

/** A browser that answers at once, in whichever session, and announces targets. */
class FakeBrowser implements CdpTransport {
  readonly closed: Promise<string>;
  readonly #random: Random;
  #receive: (message: Buffer) => void = () => {};
  #close!: (reason: string) => void;

  constructor(random: Random) {
    this.#random = random;
    this.closed = new Promise((resolve) => this.#close = resolve);
  }

  listen(receive: (message: Buffer) => void): void {
    this.#receive = receive;
  }

  send(text: string): void {
    const { id, method, sessionId } = JSON.parse(text);
    const result = answer(method, this.#random) ?? {};
    const outcome = typeof result === "string" ? { error: { message: result } } : { result };
    queueMicrotask(() => this.say(JSON.stringify({ id, ...outcome, sessionId })));
  }

  close(reason: string): void {
    this.#close(reason);
  }

  say(text: string): void {
    this.#receive(Buffer.from(text));
  }
}

function announcement(random: Random): string {
  const targetInfo = {
    ...{ targetId: String(random.below(3)), title: "a", attached: true, canAccessOpener: false },
    type: random.pick(["page", "iframe", "worker", "service_worker", "tab"]),
    url: random.pick(["http://a/", "", "chrome://newtab/", "about:blank"]),
  };
  const sessionId = String(random.below(3));
  const attached = { sessionId, targetInfo, waitingForDebugger: random.chance(50) };
  const [method, params] = random.pick([
    ["Target.attachedToTarget", attached],
    ["Target.attachedToTarget", attached],
    ["Target.detachedFromTarget", { sessionId }],
  ]);
  const changed = random.chance(50) ? params : mutateJson(params, random);
  return JSON.stringify({
    method,
    params: changed,
    sessionId: random.pick([undefined, sessionId]),
  });
}

cdp("what a browser announces never throws where nobody catches", () =>
  fuzz<number>({
    name: "browser",
    ...{ reduced: 100, full: 10_000 },
    make: (random) => random.u32(),
    check: async (seed) => {
      const random = new Random(seed);
      const carrier = new FakeBrowser(random);
      const connection = new BrowserConnection(carrier);
      const warnings: string[] = [];
      const host = {
        add: (link: Link) =>
          random.chance(80)
            ? Promise.resolve({ link, state: "running" })
            : Promise.reject(new Error("no")),
        collector: "v8" as const,
        hasProbes: false,
        checkWithoutAgent: () => Promise.resolve(),
        farewell: () => Promise.resolve(),
        reporter: { warn: (line: string) => warnings.push(line) },
      };
      const options = { include: [], exclude: [], runtime: "x", remark: "", hasCodeCache: true };
      const browser = new Browser(connection, host as unknown as TargetHost, options);
      for (let i = random.below(8); i > 0; i--) {
        carrier.say(random.chance(80) ? announcement(random) : event(random));
        if (random.chance(30)) await wait(0);
      }
      await inTime(browser.attachAll());
      carrier.close("gone");
      await inTime(connection[Symbol.asyncDispose]());
      await wait(1);
      if (warnings.some((line) => line.includes("\n"))) throw new Error(`${warnings}`);
    },
    show: String,
  }));

cdp("scripts are picked out of any bytes, or none are", () =>
  fuzz<Uint8Array>({
    name: "picked scripts",
    ...{ reduced: 3000, full: 500_000 },
    make(random) {
      const message = { id: 1, result: { result: [...COVERAGE, ...COVERAGE], timestamp: 1 } };
      const text = Buffer.from(mutatedJsonText(message, random));
      return random.chance(40) ? mutateBytes(text, random) : text;
    },
    check(bytes) {
      const asked: string[] = [];
      const picked = pickScripts(Buffer.from(bytes), (scriptId) => asked.push(scriptId) % 2 === 1);
      if (picked && picked.length > bytes.length + 2) throw new Error(`${picked.length} bytes`);
    },
    show: (bytes) => shown(Buffer.from(bytes).toString()),
  }));

cdp.run();
