/**
 * A thread that sees where the main thread is when that is asked for, which it cannot be asked itself: it is
 * in a loop.
 */
import * as inspector from "node:inspector";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { framesOf } from "./describe_error.ts";
import { type Sightings, URGENT, WATCH } from "./protocol.ts";

/** How often it looks, and how many ms after the last time. */
const LOOKS = 24;
const INTERVAL = 40;
const FRAMES = 100;
/** V8 runs it on top of what the main thread does, in regular expressions, too. */
const EXPRESSION = `(() => { const { stackTraceLimit } = Error; Error.stackTraceLimit = ${FRAMES};
  const { stack } = new Error(); Error.stackTraceLimit = stackTraceLimit; return stack; })()`;

const session = new inspector.Session();
session.connectToMainThread();

function look(): Promise<readonly string[]> {
  return new Promise((resolve) => {
    session.post("Runtime.evaluate", { expression: EXPRESSION }, (error, answer) => {
      const frames = framesOf(error ? "" : answer.result.value);
      // Those of the expression are on top.
      resolve(frames.filter((frame) => !/at (?:<anonymous>:|eval \(<anonymous>)/.test(frame)));
    });
  });
}

/** @param isUrgent Whether the process may end at any time: it takes memory. */
async function sightings(isUrgent: boolean): Promise<Sightings> {
  const stacks: (readonly string[])[] = [];
  const [looks, interval] = isUrgent ? [3, 5] : [LOOKS, INTERVAL];
  for (let i = 0; i < looks; i++) {
    stacks.push(await look());
    await sleep(interval);
  }
  return { stacks };
}

const asked = new Socket({ fd: WATCH });
asked.on("error", () => {});
asked.on("data", async ([question]: Buffer) => {
  const text = Buffer.from(JSON.stringify(await sightings(question === URGENT)));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  asked.write(Buffer.concat([size, text]));
});
// Nobody is there any more: the main thread may be in a loop.
asked.on("close", () => process.kill(process.pid, "SIGKILL"));
