/** A thread that asks for its scripts' probes, and waits. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ABSENT, CONTROL, CONTROL_SIZE, READY } from "../../../src/messages/shared_words.ts";

const ask = suite("agent/inside/ask_for_probes");

const MODULE = fileURLToPath(
  new URL("../../../src/agent/inside/ask_for_probes.cjs", import.meta.url),
);
/** Asks as it is told, and reports the answer. */
const THREAD = `
const { parentPort, workerData } = require("node:worker_threads");
const { askForProbes } = require(workerData.module);
const [control, main] = [workerData.control, workerData.main].map((memory) => new Int32Array(memory));
const probe = askForProbes(control, { port: workerData.port, main });
parentPort.on("message", (source) =>
  parentPort.postMessage({ code: probe({ url: "file:///a.js", source })?.code }));
`;

interface Question {
  readonly id: number;
  readonly script: { readonly url: string; readonly source: string };
}

interface Scene {
  /** The port for the thread's questions. */
  readonly port: MessagePort;
  readonly main: Int32Array;
  /** Has the thread ask; resolves with the answer that it got. */
  probe(source: string): Promise<string | undefined>;
  /** Answers the thread. */
  answer(id: number, code?: string): void;
  /** The next question. */
  next(): Promise<Question>;
}

function scenario(sentence: string, run: (scene: Scene) => unknown): void {
  ask(sentence, async () => {
    const [control, main] = [0, 0].map(() => new Int32Array(new SharedArrayBuffer(CONTROL_SIZE)));
    main[CONTROL.state] = READY;
    const { port1: port, port2 } = new MessageChannel();
    const worker = new Worker(THREAD, {
      eval: true,
      workerData: { module: MODULE, control: control.buffer, main: main.buffer, port: port2 },
      transferList: [port2],
    });
    try {
      await run({
        port,
        main,
        async probe(source) {
          const answered = once(worker, "message");
          worker.postMessage(source);
          return (await answered)[0].code;
        },
        answer(id, code) {
          port.postMessage({ id, code });
          Atomics.add(control, CONTROL.answers, 1);
          Atomics.notify(control, CONTROL.answers);
        },
        next: async () => (await once(port, "message"))[0],
      });
    } finally {
      port.close();
      await worker.terminate();
    }
  });
}

scenario("the thread has the code that it asked for", async ({ probe, next, answer }) => {
  for (const name of ["one", "two"]) {
    const probed = probe(name);
    const { id, script } = await next();
    assert.equal(script, { url: "file:///a.js", source: name });
    answer(id, `probed ${name}`);
    assert.is(await probed, `probed ${name}`);
  }
});

scenario("without code the script stays as it is", async ({ probe, next, answer }) => {
  const probed = probe("one");
  answer((await next()).id);
  assert.is(await probed, undefined);
});

scenario("answers to earlier questions are passed over", async ({ probe, next, answer }) => {
  const first = probe("one");
  const { id } = await next();
  answer(id, "one");
  await first;
  const second = probe("two");
  const question = await next();
  for (const number of [id, 0, 99]) answer(number, "late");
  answer(question.id, "two");
  assert.is(await second, "two");
});

for (const [state, what] of [[0, "has not answered yet"], [ABSENT, "is not there"]] as const) {
  scenario(`where the server ${what} nobody is asked`, async ({ probe, port, main }) => {
    main[CONTROL.state] = state;
    port.on("message", () => assert.unreachable("it asked"));
    assert.is(await probe("one"), undefined);
  });
}

scenario("who waits when the server goes does not for ever", async ({ probe, next, main }) => {
  const probed = probe("one");
  await next();
  Atomics.store(main, CONTROL.state, ABSENT);
  assert.is(await probed, undefined);
});

ask.run();
