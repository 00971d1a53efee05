/**
 * The end of a bridge's line: it tells what has come of an input that was not fine, and is told whether to go
 * on. A message is three numbers of 32 bits (the kind, by the harness's answers in `bridges/harness.h`, the
 * size of a text and that of the input), the text, and the input. The answer is `c` to go on, or `s` to stop.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HEAD = 12;
const GO_ON = "c";
const STOP = "s";

/** Answers that the bridge gives for a harness that cannot. */
export const END = { died: 0x64, hang: 0x68, memory: 0x6d } as const;

/** An input that was not fine. */
export interface Report {
  /** One of the harness's `ANSWER`, or of {@linkcode END}. `loaded` has no text and no input. */
  readonly kind: number;
  readonly text: string;
  readonly input: Uint8Array;
}

/** Takes reports; the answer says whether to go on. */
export type TakeReport = (report: Report) => boolean | Promise<boolean>;

/** Listens to bridges, in a folder of its own. */
export class FindingsServer implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "kcovfs-findings-"));
  readonly #take: TakeReport;
  readonly #server: Server;

  private constructor(take: TakeReport) {
    this.#take = take;
    this.#server = createServer((socket) => this.#serve(socket));
    const fd = openSync(this.#executionsFile, "wx", 0o600);
    writeSync(fd, Buffer.alloc(8));
    closeSync(fd);
    mkdirSync(this.reports);
  }

  static start(take: TakeReport): Promise<FindingsServer> {
    const started = new FindingsServer(take);
    return new Promise((resolve, reject) => {
      started.#server.once("error", reject);
      started.#server.listen(started.#socket, () => resolve(started));
    });
  }

  get #socket(): string {
    return join(this.#folder, "socket");
  }

  get #executionsFile(): string {
    return join(this.#folder, "executions");
  }

  /** Where Node is to write that it has run out of memory. */
  get reports(): string {
    return join(this.#folder, "reports");
  }

  /** A place for the fuzzer's dictionary, as long as this is there. */
  get dictionary(): string {
    return join(this.#folder, "dictionary");
  }

  /** A place for words of the program's: see `words.ts`. */
  get words(): string {
    return join(this.#folder, "words");
  }

  /** The environment by which a bridge finds this. */
  get env(): NodeJS.ProcessEnv {
    return { KCOVFS_FINDINGS: this.#socket, KCOVFS_EXECUTIONS: this.#executionsFile };
  }

  /** Where the bridge to AFL++ keeps its edges, by their numbers; the first u64 is how many there are. */
  get edgesFile(): string {
    return join(this.#folder, "edges");
  }

  /** Edges in that file. */
  get edges(): number {
    if (!existsSync(this.edgesFile)) return 0;
    const count = Buffer.alloc(8);
    const fd = openSync(this.edgesFile, "r");
    readSync(fd, count);
    closeSync(fd);
    return Number(count.readBigUInt64LE());
  }

  /** Inputs that were run, by all bridges. */
  get executions(): number {
    return Number(readFileSync(this.#executionsFile).readBigUInt64LE());
  }

  [Symbol.dispose](): void {
    this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answer(socket: Socket, report: Report): Promise<void> {
    socket.write(await this.#take(report) ? GO_ON : STOP);
  }

  #serve(socket: Socket): void {
    let received = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const report = readReport(received);
      if (!report) return;
      // The next comes after the answer.
      received = Buffer.alloc(0);
      void this.#answer(socket, report);
    });
  }
}

function readReport(received: Buffer): Report | undefined {
  if (received.length < HEAD) return undefined;
  const [kind, textSize, inputSize] = [0, 4, 8].map((at) => received.readUInt32LE(at));
  if (received.length < HEAD + textSize + inputSize) return undefined;
  const end = HEAD + textSize;
  const text = received.toString("utf8", HEAD, end);
  return { kind, text, input: received.subarray(end, end + inputSize) };
}
