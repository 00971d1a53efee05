import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Awaited } from "../../src/messages/awaited.ts";

const awaited = suite("agent/awaited");

awaited("each answer comes to who asked, in whatever order they come", async () => {
  const subject = new Awaited<string>();
  const numbers: number[] = [];
  const asked = [1, 2, 3].map(() => subject.ask((number) => numbers.push(number)));
  assert.is(new Set(numbers).size, 3);
  for (const i of [2, 0, 1]) subject.answer(numbers[i], `to ${i}`);
  assert.equal(await Promise.all(asked), ["to 0", "to 1", "to 2"]);
});

awaited("who is answered while asking has the answer", async () => {
  const subject = new Awaited<string>();
  assert.is(await subject.ask((number) => subject.answer(number, "at once")), "at once");
});

awaited("answers to what nobody asked, or to what was answered, have no effect", async () => {
  const subject = new Awaited<string>();
  subject.answer(1, "early");
  let number = 0;
  const asked = subject.ask((asked) => number = asked);
  subject.answer(number + 1, "wrong");
  subject.answer(number, "first");
  subject.answer(number, "second");
  assert.is(await asked, "first");
});

awaited("all who wait can be answered at once, and others ask after it", async () => {
  const subject = new Awaited<string>();
  const asked = [subject.ask(() => {}), subject.ask(() => {})];
  subject.answerAll("gone");
  assert.equal(await Promise.all(asked), ["gone", "gone"]);
  assert.is(await subject.ask((number) => subject.answer(number, "back")), "back");
});

awaited.run();
