import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ThreadSessions } from "../../../src/agent/worker/thread_sessions.ts";
import type { MainThread } from "../../../src/agent/worker/main_thread.ts";
import { turn } from "../../targets/fake_link.ts";

const threadSessions = suite("agent/worker/thread_sessions");

interface Sent {
  readonly method: string;
  readonly params: { sessionId: string; message: string };
}

function made() {
  const sent: Sent[] = [];
  const main = {
    send(method: string, params: Sent["params"]) {
      sent.push({ method, params });
      return Promise.resolve("");
    },
  };
  const sessions = new ThreadSessions(main as unknown as MainThread);
  const hear = (name: string, params: object) =>
    sessions.receive(JSON.stringify({ method: `NodeWorker.${name}`, params }));
  const attach = (sessionId: string, title: string) =>
    hear("attachedToWorker", { sessionId, workerInfo: { title } });
  const reply = (sessionId: string, message: object) =>
    hear("receivedMessageFromWorker", { sessionId, message: JSON.stringify(message) });
  return { sessions, sent, hear, attach, reply };
}

threadSessions("no worker thread waits for a debugger", () => {
  const { sessions, sent } = made();
  sessions.enable();
  const params = { waitForDebuggerOnStart: false };
  assert.equal(sent as unknown, [{ method: "NodeWorker.enable", params }]);
});

threadSessions(
  "an expression goes to the thread's session, and its answer comes back",
  async () => {
    const { sessions, sent, attach, reply } = made();
    attach("a", "[worker 3] Worker 4");
    attach("b", "[worker 4] WorkerThread");
    const [first, second] = [sessions.evaluate(3, "x"), sessions.evaluate(4, "y")];
    await turn();
    assert.equal(sent.map(({ method, params }) => [method, params.sessionId]), [
      ["NodeWorker.sendMessageToWorker", "a"],
      ["NodeWorker.sendMessageToWorker", "b"],
    ]);
    const ids = sent.map(({ params }) => JSON.parse(params.message).id);
    assert.equal(JSON.parse(sent[0].params.message).params.expression, "x");
    reply("b", { id: ids[1], result: 2 });
    reply("a", { id: ids[0], result: 1 });
    assert.match((await first)!, '"result":1');
    assert.match((await second)!, '"result":2');
  },
);

threadSessions("an expression waits for a thread that is not attached to yet", async () => {
  const { sessions, sent, attach } = made();
  const answers = [sessions.evaluate(3, "x"), sessions.evaluate(3, "y")];
  await turn();
  assert.is(sent.length, 0);
  attach("a", "[worker 3] WorkerThread");
  await turn();
  assert.is(sent.length, 2);
  assert.is(answers.length, 2);
});

threadSessions("a thread that ends answers nothing", async () => {
  const { sessions, attach, hear } = made();
  attach("a", "[worker 3] WorkerThread");
  const answer = sessions.evaluate(3, "x");
  await turn();
  hear("detachedFromWorker", { sessionId: "a" });
  assert.is(await answer, undefined);
  const never = sessions.evaluate(3, "x");
  await turn();
  sessions.forget(3);
  assert.is(await never, undefined);
});

threadSessions("messages of the main thread's own are not taken", () => {
  const { sessions, hear } = made();
  assert.not(sessions.receive('{"method":"Runtime.consoleAPICalled","params":{}}'));
  assert.not(sessions.receive('{"id":1,"result":{}}'));
  assert.ok(hear("receivedMessageFromWorker", { sessionId: "gone", message: '{"id":1}' }));
});

threadSessions.run();
