import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BrowserConnection } from "../../../src/targets/chromium/browser_connection.ts";
import type { CdpTransport } from "../../../src/targets/cdp/transport.ts";
import { deferred, turn } from "../fake_link.ts";

const connections = suite("targets/chromium/browser_connection");

/** A browser that notes its commands, and sends messages for a test. */
class FakeBrowser implements CdpTransport {
  readonly sent: { id: number; method: string; sessionId?: string }[] = [];
  readonly #end = deferred<string>();
  readonly closed = this.#end.promise;
  readonly connection: BrowserConnection;
  #receive: (message: Buffer) => void = () => {};

  constructor() {
    this.connection = new BrowserConnection(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  listen(receive: (message: Buffer) => void): void {
    this.#receive = receive;
  }

  close(reason: string): void {
    this.#end.resolve(reason);
  }

  say(message: object | string): void {
    this.#receive(Buffer.from(typeof message === "string" ? message : JSON.stringify(message)));
  }
}

const rejection = (work: Promise<unknown>): Promise<string> =>
  work.then(() => assert.unreachable(), (error) => error.message) as Promise<string>;

connections("commands say their session, and the browser's own say none", () => {
  const { connection, sent } = new FakeBrowser();
  connection.open('A"B').send("Debugger.getScriptSource", { scriptId: "1" });
  connection.browser.send("Target.setAutoAttach");
  const params = { scriptId: "1" };
  assert.equal(sent, [
    { id: 1, method: "Debugger.getScriptSource", params, sessionId: 'A"B' },
    { id: 2, method: "Target.setAutoAttach" },
  ]);
});

connections("answers and events reach the session whose id ends them", async () => {
  const browser = new FakeBrowser();
  const seen: string[] = [];
  const [a, b] = ["A", "B"].map((id) => browser.connection.open(id));
  a.on("Debugger.resumed", () => seen.push("a"));
  b.on("Debugger.resumed", () => seen.push("b"));
  browser.connection.browser.on("Debugger.resumed", () => seen.push("browser"));
  const method = "Debugger.resumed";
  const params = { sessionId: "A" };
  browser.say({ method, params, sessionId: "B" });
  browser.say({ method, params });
  browser.say({ method, params: {}, sessionId: "A" });
  browser.say({ method, params: {}, sessionId: "C" });
  assert.equal(seen, ["b", "browser", "a"]);
  const asked = b.send("Debugger.getScriptSource", { scriptId: "1" });
  const [{ id }] = browser.sent;
  browser.say({ id, result: { scriptSource: "x" }, sessionId: "B" });
  assert.is((await asked).scriptSource, "x");
});

connections("a session's id is found at the end of a message of some MB", async () => {
  const browser = new FakeBrowser();
  const session = browser.connection.open("A");
  const taking = session.take((answer) => answer);
  const text = `{"id":1,"result":{"result":["${"x".repeat(4 << 20)}"]},"sessionId":"A"}`;
  browser.say(text);
  assert.is((await taking).toString() === text, true);
});

connections("events of the network are not looked at", () => {
  const browser = new FakeBrowser();
  const seen: string[] = [];
  const session = browser.connection.open("A");
  session.on("Network.requestServedFromCache", () => seen.push("network"));
  session.on("Debugger.resumed", () => seen.push("resumed"));
  for (const method of ["Network.requestServedFromCache", "Debugger.resumed"]) {
    browser.say({ method, params: {}, sessionId: "A" });
  }
  assert.equal(seen, ["resumed"]);
});

connections("what answers a session that is no more is not taken for another's", async () => {
  const browser = new FakeBrowser();
  const { connection } = browser;
  connection.open("A").send("Profiler.enable");
  const attaching = connection.browser.send("Target.setAutoAttach");
  const [{ id }] = browser.sent;
  browser.say({ id, error: { code: -32001, message: "Session with given id not found." } });
  browser.say({ id: browser.sent[1].id, result: {} });
  await attaching;
});

connections("a session that is ended rejects what is pending, and says nothing more", async () => {
  const browser = new FakeBrowser();
  const { connection } = browser;
  const [a, b] = ["A", "B"].map((id) => connection.open(id));
  const pending = a.send("Profiler.enable");
  connection.close("A", "detached");
  assert.is(await rejection(pending), "Cannot reach the target: detached");
  assert.is(await a.closed, "detached");
  assert.match(await rejection(a.send("Profiler.enable")), "detached");
  assert.is(browser.sent.length, 1);
  b.send("Profiler.enable");
  assert.is(browser.sent.length, 2);
});

connections("all sessions end with the connection, by its reason", async () => {
  const browser = new FakeBrowser();
  const session = browser.connection.open("A");
  const pending = session.take((answer) => answer);
  browser.close("connection lost");
  assert.is(await rejection(pending), "Cannot reach the target: connection lost");
  const reasons = await Promise.all([session.closed, browser.connection.browser.closed]);
  assert.equal(reasons, ["connection lost", "connection lost"]);
});

connections("what makes no sense ends nothing", async () => {
  const browser = new FakeBrowser();
  let isClosed = false;
  browser.connection.browser.closed.then(() => isClosed = true);
  for (const text of ["", "{", "[]", '{"id":9,"result":{}}']) browser.say(text);
  await turn();
  assert.not(isClosed);
});

connections.run();
