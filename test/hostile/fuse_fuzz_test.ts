/**
 * Mutated messages of the kernel to the session, the tree and the device; `fuzzing.ts` says how to repeat one
 * conversation.
 */
import { suite } from "uvu";
import { converse, shorten, showSteps } from "./fuse_conversation.ts";
import { again, report, wanted, Watch } from "./fuzzing.ts";

const messages = suite("hostile, FUSE messages");

/** Messages of a conversation. */
const LENGTH = 400;

messages(
  "each mutated message has its one answer, with the right errno, and no more",
  async () => {
    const name = "fuse";
    const run = wanted({ name, reduced: 10_000, full: 1_000_000 });
    if (!run) return;
    const { seed, count, at } = run;
    using watch = new Watch(name, seed);
    const began = performance.now();
    let done = 0;
    for (let index = at ?? 0; done < (at === undefined ? count : 1); index++) {
      watch.begin(index);
      const conversation = { seed, index, messages: LENGTH };
      const outcome = await converse(conversation);
      done += outcome.messages;
      watch.throwStray();
      if (!outcome.failure) continue;
      const { steps, failure } = await shorten(conversation, outcome);
      throw new Error(
        `${failure!.stack}\nConversation ${index} of seed ${seed}, of which this is enough:\n` +
          `${showSteps(steps)}\nAgain: ${again(name, { seed, at: index })}`,
      );
    }
    report(name, { count: done, began });
  },
);

messages("a long conversation keeps nothing of what is over", async () => {
  const name = "fuse memory";
  const run = wanted({ name, reduced: 5_000, full: 500_000 });
  if (!run) return;
  const { seed, count } = run;
  using watch = new Watch(name, seed);
  await watch.ready;
  const began = performance.now();
  const sizes: number[] = [];
  // Each has a new world, but the process is the same: memory that either keeps would be noticed.
  for (const part of [count / 4, count]) {
    const outcome = await converse({
      seed,
      index: 0,
      messages: Math.floor(part),
      isLong: true,
    });
    if (outcome.failure) throw outcome.failure;
    watch.throwStray();
    sizes.push(outcome.memory);
  }
  report(name, { count, began });
  const grown = sizes[1] - sizes[0];
  if (grown > 4 * 2 ** 20) {
    throw new Error(`${count} messages of seed ${seed} keep ${grown} bytes`);
  }
});

messages.run();
