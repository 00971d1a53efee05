/** Messages to a server from a kernel that has gone mad, and a search for the shortest that fail. */
import { abi } from "../../src/fuse/mod.ts";
import type { Model } from "./fuse_model.ts";
import { body, init, mutate, request } from "./fuse_requests.ts";
import { FuseWorld, turn, Violation, type WorldOptions } from "./fuse_world.ts";
import { memoryInUse } from "./fuzzing.ts";
import { Random } from "./random.ts";
import { fileHandle } from "../../src/fuse/ids.ts";

/** A message, or an event between two. */
export type Step = Uint8Array | "turn" | "settle" | { readonly ends: number };

/** The parameters of a conversation. */
export interface Conversation {
  readonly seed: number;
  readonly index: number;
  readonly messages: number;
  /** Whether the kernel never ends the connection, as in a long conversation. */
  readonly isLong?: boolean;
}

type Name = keyof typeof abi.FUSE_OPCODE;

/** How often each request is made, in proportion. */
const WEIGHTS: Partial<Record<Name, number>> = {
  ...{
    LOOKUP: 12,
    FORGET: 5,
    GETATTR: 6,
    SETATTR: 4,
    READLINK: 1,
    OPEN: 14,
    READ: 18,
    WRITE: 10,
  },
  ...{
    STATFS: 1,
    RELEASE: 8,
    FSYNC: 1,
    FLUSH: 2,
    OPENDIR: 2,
    READDIR: 4,
    RELEASEDIR: 1,
  },
  ...{
    FSYNCDIR: 1,
    ACCESS: 2,
    INTERRUPT: 6,
    IOCTL: 26,
    BATCH_FORGET: 2,
    READDIRPLUS: 3,
  },
};
const NAMES = Object.entries(WEIGHTS).flatMap(([name, weight]) =>
  Array<Name>(weight).fill(name as Name)
);
const LOOKED_UP = [
  "kcov",
  "kcov",
  "kcov",
  "kcov.d",
  "kcovfs",
  "api",
  "targets",
  "..",
  "",
  "é\ufeff",
];
const FIXED = [1, 2, 3, 4, 5, 6];
/** Nobody opens more at a time. */
const MOST_OPEN = 6;
const THREADS = [0, 11, 12, 13, 14, 15];

/** Says one thing after the other; earlier messages decide which make sense. */
class Speaker {
  readonly #random: Random;
  readonly #model: Model;
  #unique = 2;
  /** Messages that come late. */
  readonly #late: Uint8Array[] = [];
  #said: Uint8Array | undefined;

  constructor(random: Random, model: Model) {
    this.#random = random;
    this.#model = model;
  }

  *steps(
    { messages, isLong = false }: Conversation,
    isPassthrough: boolean,
  ): Generator<Step> {
    const random = this.#random;
    const { model } = this.#plainly();
    if (!isLong && random.chance(30)) yield* this.#some(1 + random.below(4));
    const minor = isLong ? 45 : random.pick([45, 45, 45, 36, 31, 30, 99]);
    const first = init(this.#from(0), { isPassthrough, minor });
    yield !isLong && random.chance(20) ? mutate(first, random) : first;
    if (model.phase === "new") yield init(this.#from(0), { isPassthrough });
    yield* this.#some(messages);
    if (!isLong) {
      if (random.chance(30)) yield init(this.#from(0), { isPassthrough });
      if (random.chance(30)) {
        yield request(abi.FUSE_OPCODE.DESTROY, this.#from(0));
      }
      yield* this.#some(random.below(4));
    }
    yield "settle";
    if (model.phase === "started") yield* this.#leave();
  }

  #plainly(): { model: Model } {
    return { model: this.#model };
  }

  *#some(count: number): Generator<Step> {
    const random = this.#random;
    for (let i = 0; i < count; i++) {
      yield this.#next();
      if (random.chance(30)) yield "turn";
      if (random.chance(1)) yield { ends: random.pick(THREADS) };
      if (random.chance(2)) yield "settle";
      // Instances that are not closed by chance are closed here.
      if (this.#model.open.size > MOST_OPEN) yield* this.#leave();
    }
  }

  #next(): Uint8Array {
    const random = this.#random;
    if (this.#late.length > 0 && random.chance(10)) return this.#late.shift()!;
    if (this.#said && random.chance(2)) return this.#said;
    const name = random.pick(NAMES);
    const from = this.#from(this.#nodeFor(name));
    const choices = {
      random,
      fh: this.#handle(),
      other: this.#recent(),
      names: LOOKED_UP,
    };
    let message = request(abi.FUSE_OPCODE[name], from, body(name, choices));
    if (random.chance(25)) message = mutate(message, random);
    if (isEnd(message)) message = request(abi.FUSE_OPCODE.STATFS, from);
    this.#said = message;
    if (!random.chance(4)) return message;
    this.#late.push(message);
    return this.#next();
  }

  #from(nodeid: number) {
    const unique = this.#unique += 2;
    return { unique, nodeid, pid: this.#random.pick(THREADS) };
  }

  /** A request that was sent some time ago, or none. */
  #recent(): number {
    return Math.max(0, this.#unique - 2 * this.#random.below(12));
  }

  #handle(): number {
    return this.#random.chance(70) ? 1 + this.#random.below(this.#model.nextHandle) : 0;
  }

  #nodeFor(name: Name): number {
    const { known, open } = this.#model;
    const random = this.#random;
    if (name === "LOOKUP") return random.pick([1, 1, 1, 4, 2, 1001]);
    if (name === "READDIR" || name === "READDIRPLUS" || name === "OPENDIR") {
      return random.pick([1, 2, 4, 5, 1001]);
    }
    const isUsing = name === "IOCTL" || name === "READ" || name === "WRITE" ||
      name === "RELEASE";
    if (isUsing && open.size > 0 && random.chance(80)) {
      return random.pick([...open]);
    }
    if (known.size > 0 && random.chance(70)) return random.pick([...known]);
    return random.pick(FIXED);
  }

  /** Closes and forgets everything. */
  *#leave(): Generator<Step> {
    yield "settle";
    const write = body("RELEASE", {
      random: this.#random,
      fh: fileHandle(0),
      other: 0,
      names: [],
    });
    for (const node of [...this.#model.open]) {
      yield request(abi.FUSE_OPCODE.RELEASE, this.#from(node), write);
    }
    for (let fh = 1; fh < this.#model.nextHandle; fh++) {
      const release = { fh: fileHandle(fh), flags: 0, release_flags: 0, lock_owner: 0n };
      yield request(abi.FUSE_OPCODE.RELEASE, this.#from(5), (writer) => {
        abi.fuse_release_in.encode(writer, release);
      });
    }
    for (const node of [...this.#model.known]) {
      yield request(abi.FUSE_OPCODE.FORGET, this.#from(node), (writer) => {
        abi.fuse_forget_in.encode(writer, { nlookup: 1 });
      });
    }
    yield "settle";
  }
}

/** A DESTROY that is meant. */
function isEnd(message: Uint8Array): boolean {
  return message.length >= 8 && message[4] === 38 &&
    message[5] + message[6] + message[7] === 0;
}

/** The conversation, and what was wrong with it, if anything. */
export interface Outcome {
  readonly steps: readonly Step[];
  readonly failure: Error | undefined;
  readonly messages: number;
  /** Bytes in use at the end of a long conversation, before it is forgotten. */
  readonly memory: number;
}

function optionsOf({ seed, index, isLong }: Conversation): WorldOptions {
  const random = new Random(seed, 2 * index + 1);
  const isPassthrough = !isLong && index % 5 === 4;
  return { random, isPassthrough, isLogging: index % 4 === 1 };
}

/** Holds a conversation. */
export async function converse(conversation: Conversation): Promise<Outcome> {
  const options = optionsOf(conversation);
  const { seed, index } = conversation;
  const steps = (model: Model) =>
    new Speaker(new Random(seed, 2 * index), model).steps(
      conversation,
      options.isPassthrough,
    );
  return await play(options, steps, conversation.isLong ? 1000 : Infinity);
}

/** @param kept How many of the last steps are kept. */
async function play(
  options: WorldOptions,
  makeSteps: (model: Model) => Iterable<Step>,
  kept = Infinity,
): Promise<Outcome> {
  const world = new FuseWorld(options);
  const steps: Step[] = [];
  let messages = 0;
  let memory = 0;
  let failure: Error | undefined;
  try {
    for (const step of makeSteps(world.model)) {
      steps.push(step);
      if (steps.length > 2 * kept) steps.splice(0, kept);
      if (step instanceof Uint8Array) {
        messages++;
        world.send(step);
      } else if (step === "turn") await turn();
      else if (step === "settle") await world.settle();
      else world.endThread(step.ends);
    }
    await world.settle();
    const { instances } = world.device;
    const { size } = world.model.open;
    if (instances.length !== size) {
      throw new Violation(
        `${instances.length} instances are open, not ${size}`,
      );
    }
    // When threads end, the instances that they had still enabled are released.
    for (const tid of THREADS) world.endThread(tid);
    for (let i = 0; i < 200 && world.watched > 0; i++) await turn();
    if (world.watched > 0) throw new Violation(`${world.watched} threads are still watched`);
  } catch (error) {
    failure = error as Error;
  }
  if (kept < Infinity) memory = memoryInUse();
  await world[Symbol.asyncDispose]();
  return { steps, failure, messages, memory };
}

/** s that are spent to find a shorter conversation. */
const SHRINKING = 10;

/** The shortest conversation found that fails as this one does. */
export async function shorten(
  conversation: Conversation,
  { steps, failure }: Outcome,
): Promise<Outcome> {
  const end = performance.now() + 1000 * SHRINKING;
  const tries = async (shorter: readonly Step[]) => {
    const options = { ...optionsOf(conversation), patience: 200 };
    const outcome = await play(options, () => shorter);
    return outcome.failure && kindOf(outcome.failure) === kindOf(failure!) ? outcome : undefined;
  };
  let best: Outcome = { steps, failure, messages: steps.length, memory: 0 };
  for (
    let size = Math.ceil(steps.length / 2);
    size >= 1;
    size = Math.floor(size / 2)
  ) {
    for (let at = best.steps.length - size; at > -size; at -= size) {
      if (performance.now() > end) return best;
      const from = Math.max(0, at);
      const shorter = [
        ...best.steps.slice(0, from),
        ...best.steps.slice(at + size),
      ];
      best = await tries(shorter) ?? best;
    }
  }
  return best;
}

/** A failure that differs in its numbers only is the same. */
function kindOf({ message }: Error): string {
  return message.split("\n", 1)[0].replace(/\d+/g, "N");
}

/** Steps as text, a line each. */
export function showSteps(steps: readonly Step[]): string {
  return steps.map((step) => {
    if (step instanceof Uint8Array) return Buffer.from(step).toString("hex");
    return typeof step === "string" ? step : `thread ${step.ends} ends`;
  }).join("\n");
}
