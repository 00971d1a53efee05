/** The process that {@linkcode ProcessReader} starts: answers questions, a JSON line each. */
import { open } from "node:fs/promises";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import { signalOnParentDeath } from "./system_calls.ts";
import {
  commandLineOf,
  listenerAt,
  listenersOf,
  readProcess,
  whoListens,
} from "./process_facts.ts";
import {
  type Answer,
  type AnswerTo,
  type Ask,
  type Kind,
  QUESTION,
  type Question,
  QUESTIONS,
  READY,
} from "./process_reader.ts";
import { check, checkJson } from "./shape.ts";

type Answers = { [K in Kind]: (ask: Ask<K>) => Promise<AnswerTo<K>> };

const ANSWERS: Answers = {
  memory: readMemory,
  process: ({ pid }) => readProcess(pid),
  commandLine: ({ pid }) => commandLineOf(pid),
  listeners: ({ pid }) => listenersOf(pid),
  listenerAt: async ({ port }) => await listenerAt(port) ?? null,
  whoListens: async ({ port }) => await whoListens(port) ?? null,
};

async function readMemory({ tid, at, size }: Ask<"memory">): Promise<string | null> {
  const bytes = new Uint8Array(size);
  try {
    await using file = await open(`/proc/${tid}/mem`, "r");
    for (let done = 0; done < size;) {
      const position = Number(at) + done;
      const { bytesRead } = await file.read(bytes, { offset: done, position });
      if (bytesRead === 0) return null;
      done += bytesRead;
    }
    return Buffer.from(bytes).toString("base64");
  } catch {
    return null;
  }
}

async function answer<K extends Kind>({ id, kind, ask }: Question & { kind: K }): Promise<void> {
  let reply: Answer;
  try {
    const asked = check<(typeof QUESTIONS)[K]["ask"]>(QUESTIONS[kind].ask, ask);
    reply = { id, answer: await ANSWERS[kind](asked) };
  } catch (error) {
    reply = { id, error: (error as Error).message };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

/** Ends the process by a signal: `exit` would wait for a thread that is stuck. */
function end(): void {
  process.kill(process.pid, "SIGKILL");
}

/** A line that makes no sense does not come from the process that started this one. */
function receive(line: string): void {
  try {
    answer(checkJson(QUESTION, line));
  } catch (error) {
    process.stderr.write(`kcovfs: Cannot read a question: ${(error as Error).message}\n`);
    end();
  }
}

function run(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  signalOnParentDeath(constants.signals.SIGKILL);
  process.stdout.on("error", end);
  createInterface({ input: process.stdin }).on("line", receive).on("close", end);
  process.stdout.write(`${JSON.stringify({ id: READY })}\n`);
}

if (process.argv[1]?.replace(/\.[jt]s$/, "").endsWith("process_reader_main")) run();
