import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Errno } from "../../src/fuse/mod.ts";
import { EAGAIN, EINTR, failed, FakeKernel, numbered, turn } from "./fake_kernel.ts";
import { join } from "./hex.ts";

const interrupts = suite("fuse/session, INTERRUPT");

const read = (unique: number) => numbered("READ", unique);

/** An INTERRUPT, itself numbered 255, of a request. */
const interrupt = (unique: number) =>
  join(
    "30000000 24000000 ff00000000000000 0000000000000000 00000000 00000000 00000000 0000 0000",
    `${unique.toString(16).padStart(2, "0")}00000000000000`,
  );

interrupts("INTERRUPT aborts the signal of the request that it names, and no other", async () => {
  const signals = new Map<number, AbortSignal>();
  const kernel = FakeKernel.started({
    read: ({ unique, signal }) => {
      signals.set(unique, signal);
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      );
    },
  });
  for (const unique of [2, 3, 4]) kernel.send(read(unique));
  kernel.send(interrupt(3));
  assert.equal([...signals.values()].map((signal) => signal.aborted), [false, true, false]);
  await turn();
  // The interrupted request is answered EINTR, once; the INTERRUPT itself is not answered.
  assert.equal(kernel.take(), [failed(3, EINTR)]);
});

interrupts("a signal that is asked for after the INTERRUPT is aborted already", async () => {
  let resume!: () => void;
  const until = new Promise<void>((resolve) => resume = resolve);
  const seen: unknown[] = [];
  const kernel = FakeKernel.started({
    async read(request) {
      await until;
      seen.push(request.signal.aborted, (request.signal.reason as Errno).code);
      return Uint8Array.of(1);
    },
  });
  kernel.send(read(2));
  kernel.send(interrupt(2));
  resume();
  await turn();
  assert.equal(seen, [true, "EINTR"]);
  // The method ignores it, so the request gets the method's answer.
  assert.equal(kernel.take(), [join("11000000 00000000 0200000000000000 01")]);
});

interrupts(
  "INTERRUPT of a request that is not in flight is EAGAIN, so that it is sent again",
  async () => {
    const kernel = FakeKernel.started({ read: () => Promise.resolve(Uint8Array.of(1)) });
    kernel.send(interrupt(2));
    assert.equal(kernel.take(), [failed(255, EAGAIN)]);
    kernel.send(read(2));
    await turn();
    kernel.take();
    kernel.send(interrupt(2));
    assert.equal(kernel.take(), [failed(255, EAGAIN)]);
  },
);

interrupts("close aborts all that is in flight", () => {
  const signals: AbortSignal[] = [];
  const kernel = FakeKernel.started({
    read: ({ signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    },
  });
  kernel.send(read(2));
  kernel.send(read(3));
  kernel.session.close();
  assert.equal(signals.map((signal) => signal.aborted), [true, true]);
});

interrupts.run();
