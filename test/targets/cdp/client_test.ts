import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CdpClient, CdpError } from "../../../src/targets/cdp/client.ts";

const cdp = suite("targets/cdp_client");

const rejection = (work: Promise<unknown>): Promise<Error> =>
  work.then(() => assert.unreachable(), (error) => error) as Promise<Error>;

/** Whether a client accepts a message. */
function takes(client: CdpClient, text: string): boolean {
  return refusal(client, text) === undefined;
}

/** The reason why it does not. */
function refusal(client: CdpClient, text: string): string | undefined {
  try {
    client.receive(text);
  } catch (error) {
    return (error as Error).message;
  }
}

cdp("a command is a text with a number of its own", () => {
  const client = new CdpClient();
  const one = client.prepare("Profiler.enable");
  const other = client.prepare("Debugger.getScriptSource", { scriptId: "7" });
  assert.is(one.text, '{"id":1,"method":"Profiler.enable"}');
  assert.is(other.text, '{"id":2,"method":"Debugger.getScriptSource","params":{"scriptId":"7"}}');
  assert.equal([one.id, other.id], [1, 2]);
});

cdp("answers find their commands in any order", async () => {
  const client = new CdpClient();
  const [one, other] = ["7", "8"].map((scriptId) =>
    client.prepare("Debugger.getScriptSource", { scriptId })
  );
  assert.ok(takes(client, '{"id":2,"result":{"scriptSource":"two"}}'));
  assert.ok(takes(client, '{"id":1,"result":{"scriptSource":"one"}}'));
  assert.is((await one.reply).scriptSource, "one");
  assert.is((await other.reply).scriptSource, "two");
});

cdp("a refusal rejects with the method and the reason, if there is one", async () => {
  const reasons = {
    '{"code":-32000,"message":"Profiler is not enabled"}': "Profiler is not enabled",
    "{}": "refused",
    "null": "refused",
    '"text"': "refused",
    '{"message":{"toString":1,"valueOf":1}}': "refused",
  };
  for (const [error, reason] of Object.entries(reasons)) {
    const client = new CdpClient();
    const { reply } = client.prepare("Profiler.takePreciseCoverage");
    assert.ok(takes(client, `{"id":1,"error":${error}}`));
    const thrown = await rejection(reply);
    assert.instance(thrown, CdpError);
    assert.is(thrown.message, `Cannot run Profiler.takePreciseCoverage: ${reason}`);
  }
});

cdp("events reach the listener of their name, until it is taken off", () => {
  const client = new CdpClient();
  const seen: string[] = [];
  client.on("Debugger.scriptParsed", ({ scriptId }) => seen.push(scriptId));
  const event = (scriptId: string) =>
    `{"method":"Debugger.scriptParsed","params":{"scriptId":"${scriptId}","url":""}}`;
  assert.ok(takes(client, event("1")));
  assert.ok(takes(client, '{"method":"Debugger.paused","params":{}}'), "nobody listens");
  client.on("Debugger.scriptParsed", ({ scriptId }) => seen.push(`other ${scriptId}`));
  client.receive(event("2"));
  client.off("Debugger.scriptParsed");
  assert.ok(takes(client, event("3")));
  assert.equal(seen, ["1", "other 2"]);
});

cdp(
  "an event, or an answer, of another shape is refused with what is wrong, and where",
  async () => {
    const client = new CdpClient();
    const seen: unknown[] = [];
    client.on("Debugger.scriptParsed", (params) => seen.push(params));
    const event = (params: string) => `{"method":"Debugger.scriptParsed","params":${params}}`;
    const reasons = {
      "null": "it must be an object, not null",
      '{"url":""}': "scriptId is missing",
      '{"scriptId":7,"url":""}': "scriptId must be a text, not 7",
    };
    for (const [params, reason] of Object.entries(reasons)) {
      assert.is(refusal(client, event(params)), `in Debugger.scriptParsed, ${reason}`);
    }
    assert.equal(seen, []);
    const { reply } = client.prepare("Runtime.evaluate", { expression: "0" });
    assert.ok(takes(client, '{"id":1,"result":{"result":{"objectId":7}}}'));
    const reason = "in Runtime.evaluate, result.objectId must be a text, not 7";
    assert.is((await rejection(reply)).message, `Cannot run Runtime.evaluate: ${reason}`);
  },
);

cdp("what makes no sense is reported and changes nothing", async () => {
  const client = new CdpClient();
  const { reply } = client.prepare("Profiler.enable");
  const texts = ["", "{", "null", "7", '"x"', "[]", "{}", '{"id":99}', '{"id":"1"}', '{"id":null}'];
  for (const text of [...texts, '{"method":7}']) {
    assert.not(takes(client, text), text);
  }
  assert.ok(takes(client, '{"id":1,"result":{}}'));
  await reply;
  assert.not(takes(client, '{"id":1,"result":{}}'), "answered already");
});

cdp("the end rejects what is pending and what comes later, with its reason", async () => {
  const client = new CdpClient();
  const pending = client.prepare("Profiler.enable").reply;
  client.close("exited");
  client.close("connection lost");
  const later = client.prepare("Profiler.enable").reply;
  for (const reply of [pending, later]) {
    const error = await rejection(reply);
    assert.instance(error, CdpError);
    assert.is(error.message, "Cannot reach the target: exited");
  }
  assert.not(takes(client, '{"id":1,"result":{}}'));
});

cdp("an answer that nobody waits for is no unhandled rejection", async () => {
  const client = new CdpClient();
  const unhandled: unknown[] = [];
  const listen = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", listen);
  client.prepare("Profiler.enable");
  client.prepare("Profiler.disable");
  client.receive('{"id":1,"error":{"message":"no"}}');
  client.close("exited");
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.off("unhandledRejection", listen);
  assert.equal(unhandled, []);
});

cdp.run();
