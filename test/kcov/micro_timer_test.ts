import { MessageChannel } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { microseconds, MicroTimer } from "../../src/kcov/micro_timer.ts";

const timer = suite("kcov/micro_timer");

/** Resolves with the time that has passed, in µs. */
function after(subject: MicroTimer, us: number): Promise<number> {
  const began = microseconds();
  return new Promise((resolve) => subject.after(us, () => resolve(microseconds() - began)));
}

timer("it calls back later, and not too early", async () => {
  const subject = new MicroTimer();
  for (const us of [0, 1, 30, 200, 1500]) assert.ok(await after(subject, us) >= us, `${us} µs`);
});

timer("it never calls back at once", () => {
  let calls = 0;
  new MicroTimer().after(0, () => calls++);
  new MicroTimer().after(-10, () => calls++);
  assert.is(calls, 0);
});

timer("several are called in the order in which they are due, none too early", async () => {
  const subject = new MicroTimer();
  const order: number[] = [];
  const wait = (us: number) =>
    after(subject, us).then((passed) => {
      assert.ok(passed >= us);
      order.push(us);
    });
  await Promise.all([20_000, 0, 40_000, 10_000, 30_000].map(wait));
  assert.equal(order, [0, 10_000, 20_000, 30_000, 40_000]);
});

timer("one that is set from within a callback is called, too", async () => {
  const subject = new MicroTimer();
  let depth = 0;
  await new Promise<void>((resolve) => {
    const again = () => ++depth < 10 ? subject.after(5, again) : resolve();
    subject.after(5, again);
  });
  assert.is(depth, 10);
  assert.ok(await after(subject, 10) >= 10, "and after a pause");
});

timer("what has arrived is served before it sleeps", async () => {
  const subject = new MicroTimer();
  const order: string[] = [];
  const { port1, port2 } = new MessageChannel();
  port2.once("message", () => order.push("arrived"));
  await new Promise<void>((resolve) =>
    subject.after(0, () => {
      port1.postMessage("");
      subject.after(2000, () => resolve(void order.push("called back")));
    })
  );
  port1.close();
  assert.equal(order, ["arrived", "called back"]);
});

timer("a callback that throws does not keep the others from being called", async () => {
  const subject = new MicroTimer();
  const thrown = new Promise((resolve) => process.once("uncaughtException", resolve));
  subject.after(0, () => {
    throw new Error("from a callback");
  });
  const passed = after(subject, 500);
  assert.is((await thrown as Error).message, "from a callback");
  assert.ok(await passed >= 500);
});

timer.run();
