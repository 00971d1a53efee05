import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listScripts } from "../../../src/agent/worker/list_scripts.ts";

const list = suite("agent/worker/list_scripts");

/** A connection to an inspector that reports scripts when its debugger is enabled. */
function connecting(urls: readonly string[], log: string[]) {
  return (receive: (message: string) => void) => ({
    dispatch(text: string): void {
      const { id, method } = JSON.parse(text);
      log.push(method);
      const say = (message: object) => receive(JSON.stringify(message));
      if (method === "Debugger.enable") {
        for (const url of urls) {
          say({ method: "Debugger.scriptParsed", params: { scriptId: "1", url } });
        }
        say({ method: "Runtime.executionContextCreated", params: {} });
      }
      setImmediate(() => say({ id, result: {} }));
    },
    disconnect: () => void log.push("disconnect"),
  });
}

list("the URLs of all scripts are told, those without one too", async () => {
  const log: string[] = [];
  const urls = ["file:///a.js", "", "node:fs", "", 'x"Debugger.scriptParsed"'];
  assert.equal(await listScripts(connecting(urls, log)), urls);
  assert.equal(log, ["Debugger.enable", "Debugger.disable", "disconnect"]);
});

list("an isolate without scripts has none", async () => {
  assert.equal(await listScripts(connecting([], [])), []);
});

list.run();
