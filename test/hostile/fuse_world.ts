/** A session with kcov's tree and device, between a made-up kernel and made-up targets. */
import { Backings, decodeReply, decodeRequest, type Log, Session } from "../../src/fuse/mod.ts";
import {
  type Callers,
  Device,
  KcovFilesystem,
  type Owner,
  type PageCache,
  type Source,
  type TargetPcs,
} from "../../src/kcov/mod.ts";
import { makeScratchFile } from "../../src/recording/recorded_world.ts";
import { WireError } from "../../src/fuse/wire.ts";
import { type Expected, Model } from "./fuse_model.ts";
import type { Random } from "./random.ts";
import { targetId, unitId } from "../../src/kcov/ids.ts";
import type { ThreadId } from "../../src/base/thread_id.ts";

/** The properties of a world. */
export interface WorldOptions {
  /** Makes the choices that the session cannot foresee. */
  readonly random: Random;
  /** Whether areas are files that clients map. */
  readonly isPassthrough: boolean;
  /** Whether debug lines are made. */
  readonly isLogging: boolean;
  /** ms after which a missing answer counts as never coming. @default {3000} */
  readonly patience?: number;
}

/** An answer that is due. */
interface Due {
  readonly expected: Expected;
  readonly message: Uint8Array;
  answers: number;
}

/** A message was treated wrongly. */
export class Violation extends Error {
  override name = "Violation";
  readonly at: Uint8Array | undefined;

  constructor(what: string, message?: Uint8Array) {
    super(what);
    this.at = message;
  }
}

export class FuseWorld implements AsyncDisposable {
  readonly model = new Model();
  readonly session: Session;
  readonly device: Device;
  readonly #options: WorldOptions;
  /** The answers that are due, by number, oldest first. */
  readonly #due = new Map<bigint, Due[]>();
  #messages = 0;
  #warnings: string[] = [];
  /** The faults of answers, in order: code that gets an answer must not throw. */
  readonly #violations: Violation[] = [];
  #lines = 0;
  /** Threads that have ended. */
  readonly #ended = new Set<number>();
  /** Owners that are watched. */
  readonly #owners = new Set<Owner & { onEnd: () => void }>();

  constructor(options: WorldOptions) {
    this.#options = options;
    const messages = () => this.#messages;
    const cache: PageCache = {
      invalInode: () => this.#later(options.random.chance(5) ? 2 : 0),
      store: () => this.#later(options.random.chance(3) ? 2 : 0),
      get reads() {
        return messages();
      },
    };
    let isDirect = false;
    this.device = new Device(this.#source(), cache, {
      files: () => isDirect ? makeScratchFile : undefined,
      callers: this.#callers(),
      ...(options.isLogging && { log: this.#log }),
    });
    let lastBacking = 0;
    const backings = new Backings(() => ++lastBacking, {
      hasEnded: () => false,
    });
    const tree = new KcovFilesystem(this.device, {
      ...{
        mode: 0o640,
        uid: 1000,
        gid: 1001,
        socket: "/run/kcovfs/socket",
        mounted: 1,
      },
      files: new Map<string, () => string | Promise<string>>([
        ["targets", () => "one\ntwo\n"],
        ["later", () => this.#later("é\n")],
      ]),
      targets: () => [{ name: "api", id: targetId(1), isAlive: true }, {
        name: "x",
        id: targetId(2),
        isAlive: false,
      }],
      backings: () => this.session.hasPassthrough ? backings : undefined,
      hasDirectMmap: () => this.session.hasDirectMmap,
      read: messages,
      onInit: () => isDirect = this.session.hasPassthrough,
    });
    this.session = new Session(tree, {
      reply: (bytes) => this.#answered(bytes),
      warn: (line) => this.#warnings.push(line),
      passthrough: options.isPassthrough,
      maxWrite: 256 * 1024,
      maxReadahead: 0,
      ...(options.isLogging && { log: this.#log }),
    });
  }

  readonly #log: Log = Object.assign(() => void this.#lines++, {
    enabled: true,
  });

  /** Some turns of the event loop later, or none. */
  async #later<T>(value: T): Promise<T> {
    for (let turns = this.#options.random.below(4); turns > 0; turns--) {
      await turn();
    }
    return value;
  }

  #source(): Source {
    const { random } = this.#options;
    const stop = (): Promise<TargetPcs[]> => {
      const kind = random.pick(["counts", "trace", "comparisons"] as const);
      const length = 8 * random.pick([0, 1, 10, 100, 400]);
      const pcs = Uint32Array.from({ length }, () => random.u32());
      return this.#later([{ target: targetId(random.below(3)), kind, pcs }]);
    };
    return {
      stop,
      release() {},
      unitOf: (target) => unitId(target),
      trace: () => this.#later(undefined),
      canCompare: () => random.chance(50),
      canWrite: () => random.chance(80),
    };
  }

  #callers(): Callers {
    const { random } = this.#options;
    return {
      find: (tid, onEnd) => this.#later(this.#owner(tid, onEnd)),
      nameOf: (tid) => this.#later(random.chance(50) ? undefined : { pid: tid, name: "client" }),
      readMemory: (_, { size }) => this.#later(random.chance(20) ? undefined : random.bytes(size)),
    };
  }

  #owner(tid: ThreadId, onEnd: () => void): Owner | undefined {
    if (tid === 0 || this.#ended.has(tid)) return undefined;
    const ended = this.#ended;
    const owners = this.#owners;
    const owner: Owner & { onEnd: () => void } = {
      ...{ tid, serial: 1, onEnd },
      get hasEnded() {
        return ended.has(tid);
      },
      look: () => this.#later(undefined),
      [Symbol.dispose]: () => owners.delete(owner),
    };
    owners.add(owner);
    return owner;
  }

  endThread(tid: number): void {
    this.#ended.add(tid);
    for (const owner of this.#owners) {
      if (owner.tid === tid) this.#later(undefined).then(() => owner.onEnd());
    }
  }

  /** The number of threads that are watched. */
  get watched(): number {
    return this.#owners.size;
  }

  /** Sends a message in a buffer that is reused at once. */
  send(message: Uint8Array): void {
    const expected = this.model.expect(message);
    if (expected.answers[1] > 0) {
      const due = this.#due.get(expected.unique) ?? [];
      this.#due.set(expected.unique, due);
      due.push({ expected, message, answers: 0 });
    }
    this.#messages++;
    this.#decode(message, decodeRequest);
    const warned = this.#warnings.length;
    const bytes = message.slice();
    this.session.receive(bytes);
    bytes.fill(0xee);
    this.#throwViolation();
    const lines = this.#warnings.slice(warned);
    if (lines.length > expected.warnings) {
      throw new Violation(`it is told of: ${lines}`, message);
    }
    if (lines.some((line) => line.includes("\n"))) {
      throw new Violation(`it is told of in several lines: ${lines}`, message);
    }
    // INTERRUPTs that have found their requests.
    if (expected.answers[0] === 0) this.#forget(expected.unique, message);
    this.#warnings.length = 0;
  }

  #throwViolation(): void {
    if (this.#violations.length > 0) throw this.#violations[0];
  }

  #forget(unique: bigint, message: Uint8Array): void {
    const left = this.#due.get(unique)?.filter((due) => due.message !== message) ?? [];
    if (left.length > 0) this.#due.set(unique, left);
    else this.#due.delete(unique);
  }

  #decode(message: Uint8Array, decode: (bytes: Uint8Array) => unknown): void {
    try {
      decode(message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }

  /** If a kernel has used a number twice, its answers come in any order. */
  #answered(bytes: Uint8Array): void {
    const body = new DataView(bytes.slice().buffer);
    const unique = body.getBigUint64(8, true);
    const error = body.getInt32(4, true);
    const candidates = this.#due.get(unique);
    if (!candidates?.length) {
      this.#violations.push(
        new Violation(`an answer to ${unique}, which none is due to`),
      );
      return;
    }
    const faults = candidates.map((due) => faultOf(due.expected, { body, error }));
    const index = faults.indexOf(undefined);
    if (index < 0) {
      const { message, expected } = candidates[0];
      const what = `${faults[0]}, to opcode ${expected.opcode}`;
      this.#violations.push(new Violation(what, message));
    }
    candidates.splice(Math.max(0, index), 1);
    if (candidates.length === 0) this.#due.delete(unique);
    this.#decode(bytes, (bytes) => decodeReply(bytes, undefined));
  }

  /** Resolves when all answers that are due have come. */
  async settle(): Promise<void> {
    const { patience = 3000 } = this.#options;
    const began = performance.now();
    for (let i = 0; i < 3 || this.#due.size > 0; i++) {
      if (performance.now() - began > patience) {
        const [[{ message, expected }]] = this.#due.values();
        throw new Violation(`${expected.unique} is never answered`, message);
      }
      // Timers get their turn, too.
      await (i < 200 ? turn() : new Promise((resolve) => setTimeout(resolve, 1)));
    }
    this.#throwViolation();
    if (this.#warnings.length > 0) {
      throw new Violation(`it is told of: ${this.#warnings}`);
    }
    if (this.session.pending > 0) {
      throw new Violation(`${this.session.pending} are kept`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.close();
    await this.device[Symbol.asyncDispose]();
  }
}

function faultOf(
  { errnos, fault }: Expected,
  { body, error }: { body: DataView; error: number },
): string | undefined {
  if (body.getUint32(0, true) !== body.byteLength) {
    return "its length is not what it says";
  }
  // The kernel refuses this: `fuse_dev_do_write`.
  if (error > 0 || error <= -512) return `its error is ${error}`;
  if (errnos && !errnos.includes(-error)) {
    return `errno ${-error}, not one of ${errnos}`;
  }
  if (error !== 0) {
    return body.byteLength === 16 ? undefined : "an error with a body";
  }
  return fault?.(new DataView(body.buffer, 16));
}

/** Lets everything that is ready run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
