import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inTime, LateError } from "../../src/base/in_time.ts";

const time = suite("in_time");

const never = new Promise<never>(() => {});
const rejection = (work: Promise<unknown>): Promise<Error> =>
  work.then(() => assert.unreachable(), (error) => error) as Promise<Error>;

time("what comes in time is handed on, whether it is an answer or a refusal", async () => {
  assert.is(await inTime(Promise.resolve(7), 1000), 7);
  const refused = await rejection(inTime(Promise.reject(new Error("no")), 1000));
  assert.equal([refused.message, refused instanceof LateError], ["no", false]);
});

time("what does not come is late, and that is said as the caller likes", async () => {
  const late = await rejection(inTime(never, 1));
  assert.instance(late, LateError);
  assert.is(late.message, "no answer within 1 ms");
  assert.is((await rejection(inTime(never, 1, { reason: "too slow" }))).message, "too slow");
});

time("an answer leaves no timer behind", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  const waiting = inTime(Promise.resolve(7), 60_000);
  assert.is(timers(), before + 1);
  await waiting;
  assert.is(timers(), before);
});

time.run();
