import { closeSync, openSync, readSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CONTROL, CONTROL_SIZE } from "../../../src/messages/shared_words.ts";
import { type Order, WorkerThread } from "../../../src/agent/worker/worker_thread.ts";
import { mkfifo } from "../../../src/base/system_calls.ts";
import { deferred, turn } from "../../targets/fake_link.ts";

const workerThread = suite("agent/worker/worker_thread");

const DONE = '{"id":1,"result":{"result":{"type":"undefined"}}}';
const FAILED = '{"id":1,"result":{"exceptionDetails":{"text":"RangeError"}}}';
const TERMINATED = '{"id":1,"error":{"code":-32000,"message":"Execution was terminated"}}';
const TAKE = [{ id: 7, text: "take" }];

/** A thread that answers when the test says so. */
class FakeThread implements Disposable {
  static #made = 0;
  readonly control = new Int32Array(new SharedArrayBuffer(CONTROL_SIZE));
  readonly orders: Order[] = [];
  /** Calls of `attend` that have not returned. */
  readonly calls: ((reply: string | undefined) => void)[] = [];
  readonly received: string[] = [];
  expired = 0;
  terminated = 0;
  readonly thread: WorkerThread;
  readonly #pipe: number;

  constructor(holdTimeout = 60_000) {
    const pipe = path.join(tmpdir(), `kcovfs-pipe-${process.pid}-${FakeThread.#made++}`);
    mkfifo(pipe, 0o600);
    this.#pipe = openSync(pipe, "r+");
    this.thread = new WorkerThread(this.control, {
      pipe,
      holdTimeout,
      port: { postMessage: (order: Order) => void this.orders.push(order) },
      receive: (id, message) => this.received.push(`${id} ${message}`),
      expired: () => void this.expired++,
      evaluate: () => {
        const { promise, resolve } = deferred<string | undefined>();
        this.calls.push(resolve);
        return promise;
      },
      terminate: () => void this.terminated++,
    });
    assert.throws(() => unlinkSync(pipe), /ENOENT/);
  }

  answer(serial: number): void {
    this.thread.answer({ serial, place: "", replies: [["reply"]] });
  }

  /** The number that comes through the pipe next. */
  read(): number {
    const token = new Int32Array(1);
    readSync(this.#pipe, token);
    return token[0];
  }

  [Symbol.dispose](): void {
    this.thread.close();
    closeSync(this.#pipe);
  }
}

workerThread("a batch is one order, and the thread is called to see to it", async () => {
  using fake = new FakeThread();
  const batch = fake.thread.batch(TAKE, { hold: true, run: 0 });
  assert.equal(fake.orders, [{ serial: 1, messages: ["take"], hold: true }]);
  assert.is(fake.control[CONTROL.order], 1);
  assert.is(fake.calls.length, 1);
  fake.answer(1);
  assert.equal(await batch, { isWhole: true, gate: 1 });
  assert.equal(fake.received, ["7 reply"]);
});

for (const isTold of [true, false]) {
  workerThread(
    `a thread whose hold V8 has ended is ${isTold ? "ended" : "let be if it was not told to end"}`,
    async () => {
      using fake = new FakeThread();
      const batch = fake.thread.batch(TAKE, { hold: true, run: 0 });
      fake.answer(1);
      await batch;
      fake.control[CONTROL.terminated] = isTold ? 1 : 0;
      fake.calls[0](TERMINATED);
      await turn();
      assert.is(fake.terminated, isTold ? 1 : 0);
    },
  );
}

workerThread("a thread that is held is told by its pipe that there is an order", async () => {
  using fake = new FakeThread();
  const first = fake.thread.batch(TAKE, { hold: true, run: 0 });
  fake.answer(1);
  await first;
  const second = fake.thread.batch(TAKE, { hold: true, run: 0 });
  assert.is(fake.read(), 0);
  fake.answer(2);
  assert.equal(await second, { isWhole: true, gate: 2 });
  fake.thread.release();
  assert.is(fake.read(), 2);
});

workerThread("a number that somebody else has written is not written again", async () => {
  using fake = new FakeThread();
  for (const [serial, written] of [[1, 1], [2, 1]]) {
    const batch = fake.thread.batch(TAKE, { hold: true, run: 0 });
    fake.answer(serial);
    await batch;
    fake.thread.release({ serial: written });
    fake.thread.release();
  }
  assert.is(fake.read(), 2, "the first was written by the other");
});

workerThread(
  "a batch that the thread cannot carry out is given up, and not done later",
  async () => {
    using fake = new FakeThread();
    const batch = fake.thread.batch(TAKE, { hold: true, run: 0 });
    fake.calls[0](FAILED);
    assert.equal(await batch, { isWhole: false, gate: 0 });
    assert.is(fake.control[CONTROL.order], 0);
    assert.is(fake.read(), 1, "nor is it held");
  },
);

workerThread("an answer that comes after the call has failed is taken", async () => {
  using fake = new FakeThread();
  const batch = fake.thread.batch(TAKE, { hold: false, run: 0 });
  fake.calls[0](FAILED);
  await turn();
  fake.answer(1);
  assert.equal(await batch, { isWhole: true, gate: 0 });
});

workerThread("an answer to what was given up lets the thread go", async () => {
  using fake = new FakeThread();
  const batch = fake.thread.batch(TAKE, { hold: true, run: 0 });
  fake.calls[0](FAILED);
  await batch;
  assert.is(fake.read(), 1);
  fake.answer(1);
  assert.is(fake.read(), 1);
});

workerThread("a hold that nobody ends is given up", async () => {
  using fake = new FakeThread(20);
  const batch = fake.thread.batch(TAKE, { hold: true, run: 0 });
  fake.answer(1);
  await batch;
  while (fake.expired === 0) await turn();
  assert.is(fake.read(), 1);
});

workerThread("a hold that is given up before the answer comes is none", async () => {
  using fake = new FakeThread(20);
  const batch = fake.thread.batch(TAKE, { hold: true, run: 0 });
  while (fake.expired === 0) await turn();
  fake.answer(1);
  assert.equal(await batch, { isWhole: false, gate: 0 });
  assert.is(fake.read(), 1);
});

workerThread("a thread runs for as long as is asked after its call has returned", async () => {
  using fake = new FakeThread();
  const first = fake.thread.batch(TAKE, { hold: true, run: 0 });
  fake.answer(1);
  await first;
  fake.thread.release();
  const second = fake.thread.batch(TAKE, { hold: true, run: 20_000 });
  await turn();
  assert.is(fake.orders.length, 1, "it may still be held");
  const released = performance.now();
  fake.calls[0](DONE);
  while (fake.orders.length === 1) await turn();
  assert.ok(performance.now() - released >= 20);
  fake.answer(2);
  await second;
});

workerThread("a thread that ends leaves no batch waiting", async () => {
  using fake = new FakeThread();
  const batch = fake.thread.batch(TAKE, { hold: true, run: 0 });
  fake.thread.disconnect();
  assert.equal(await batch, { isWhole: false, gate: 0 });
});

workerThread.run();
