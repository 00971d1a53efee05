import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WebSocketServer } from "ws";
import { CdpSession } from "../../../src/targets/cdp/session.ts";
import { connectSession } from "../../../src/targets/cdp/connect_session.ts";
import { FakeInspector } from "../fake_inspector.ts";
import { turn } from "../fake_link.ts";

const sessions = suite("targets/cdp_session");

const TAKE = "Profiler.takePreciseCoverage";
const whole = (answer: Buffer) => answer;
const rejection = (work: Promise<unknown>): Promise<string> =>
  work.then(() => assert.unreachable(), (error) => error.message) as Promise<string>;

function world() {
  const inspector = new FakeInspector();
  inspector.answers.set(TAKE, () => undefined);
  return { inspector, session: new CdpSession(inspector) };
}

sessions("a collection is handed to whoever picks as it came, and not parsed", async () => {
  const { inspector, session } = world();
  const texts: string[] = [];
  const taking = session.take((answer) => {
    texts.push(answer.toString());
    return Buffer.from("picked");
  });
  const text = '{"id":1,"result":this is no JSON}';
  inspector.say(text);
  assert.equal([(await taking).toString(), texts], ["picked", [text]]);
});

sessions("what is no answer of V8's is parsed for its scripts", async () => {
  const answers: [string, string][] = [
    ['{"id":1,"result":{"result":[7]}}', "[7]"],
    ['{"result":{"result":[7]},"id":1}', "[7]"],
    ['{"id":1,"result":{"result":7}}', "[]"],
    ['{"id":1,"result":{}}', "[]"],
  ];
  for (const [answer, coverage] of answers) {
    const { inspector, session } = world();
    const taking = session.take(() => undefined);
    inspector.say(answer);
    assert.is((await taking).toString(), coverage, answer);
  }
});

sessions("collections may overlap, and others be answered meanwhile", async () => {
  const { inspector, session } = world();
  const [one, two] = [session.take(whole), session.take(whole)];
  const asked = session.send("Profiler.enable");
  await asked;
  inspector.say('{"id":2,"result":{"result":[2]}}');
  inspector.say('{"id":1,"result":{"result":[1]}}');
  assert.match((await one).toString(), '"result":[1]');
  assert.match((await two).toString(), '"result":[2]');
});

sessions("a collection that is refused, or pending at the end, is rejected", async () => {
  const { inspector, session } = world();
  const refused = session.take(whole);
  inspector.say('{"id":1,"error":{"message":"not started"}}');
  assert.is(await rejection(refused), `Cannot run ${TAKE}: not started`);
  const pending = session.take(whole);
  session.close("exited");
  assert.is(await rejection(pending), "Cannot reach the target: exited");
});

sessions("a command that is not answered in time is rejected by its name", async () => {
  const { inspector, session } = world();
  inspector.answers.set("Profiler.enable", () => undefined);
  const late = session.send("Profiler.enable", undefined, { timeout: 1 });
  assert.is(await rejection(late), "no answer to Profiler.enable within 1 ms");
  inspector.say('{"id":1,"result":{}}');
  await turn();
  assert.not(inspector.isClosed, "the answer may still come");
});

for (const isLenient of [false, true]) {
  const verb = isLenient ? "does not end" : "ends";
  sessions(
    `what makes no sense ${verb} a session that is ${isLenient ? "" : "not "}lenient`,
    () => {
      const inspector = new FakeInspector();
      const session = new CdpSession(inspector, { isLenient });
      inspector.say('{"id":123456,"result":{}}');
      assert.is(inspector.isClosed, !isLenient);
      assert.instance(session.closed, Promise);
    },
  );
}

sessions("a session for a few commands ends though the other side says no farewell", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise((resolve) => server.once("listening", resolve));
  const gone = new Promise<number>((resolve) => {
    server.on("connection", (socket) => {
      socket.on("message", () => socket.send('{"id":1,"result":{}}'));
      socket.on("close", resolve);
    });
  });
  const { port } = server.address() as AddressInfo;
  const session = await connectSession(`ws://127.0.0.1:${port}/`);
  const answer = await session.send("Profiler.enable", undefined, { timeout: 5000 });
  assert.is(answer, undefined, "nothing of this answer is read");
  await session[Symbol.asyncDispose]();
  assert.is(await gone, 1006, "the connection is cut: without the farewell's frame");
  await new Promise((resolve) => server.close(resolve));
  assert.match(await rejection(connectSession(`ws://127.0.0.1:${port}/`)), "ECONNREFUSED");
});

sessions.run();
