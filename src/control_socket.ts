import { chmod, chown, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { chmodSync, chownSync } from "node:fs";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import * as path from "node:path";
import {
  FRAME,
  FrameReader,
  type Hello,
  type NewSource,
  packFrame,
  type ProbedSource,
  PROTOCOL_VERSION,
} from "./agent/protocol.ts";
import { mkfifo } from "./system_calls.ts";
import { AgentLink } from "./targets/agent_link.ts";

/** Who takes what comes in on the control socket. */
export interface ControlHandlers {
  /** A process wants to be a target; `link` is to be welcomed. */
  readonly onAgent: (link: AgentLink, hello: Hello) => void;
  /** A target exits, with its last coverage. */
  readonly onFarewell: (link: AgentLink, coverage: Uint8Array) => Promise<void>;
  /** A target gave up a hold that lasted too long. */
  readonly onExpired: (link: AgentLink) => void;
  /** A target's script is to have probes. Never rejects. */
  readonly onSource: (link: AgentLink, source: NewSource) => Promise<ProbedSource>;
  /** A command asks. */
  readonly onRequest: (request: unknown) => Promise<unknown>;
  readonly warn: (line: string) => void;
}

/** Who may connect. */
export interface ControlOptions {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Bytes of the longest frame: what V8 reports of a very large program. */
const MOST_BYTES = 512 * 1024 * 1024;
/** Where servers keep their sockets, in folders whose names begin with the process id. */
const RUN_DIRECTORY = "/run/kcovfs";

/** The socket on which targets and commands reach a server. */
export class ControlSocket implements AsyncDisposable {
  readonly path: string;
  readonly #server: NetServer;
  readonly #handlers: ControlHandlers;
  readonly #sockets = new Set<Socket>();
  readonly #options: ControlOptions;
  #pipes = 0;

  private constructor(path: string, handlers: ControlHandlers, options: ControlOptions) {
    this.path = path;
    this.#handlers = handlers;
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Makes a FIFO beside the socket, for an agent to be held at. */
  makePipe(): string {
    const { mode, uid, gid } = this.#options;
    const pipe = path.join(path.dirname(this.path), `pipe-${this.#pipes++}`);
    mkfifo(pipe, mode);
    // The umask has had its say.
    chmodSync(pipe, mode);
    chownSync(pipe, uid, gid);
    return pipe;
  }

  /** Listens on a path of this process's own. */
  static async listen(handlers: ControlHandlers, options: ControlOptions): Promise<ControlSocket> {
    await removeAbandoned();
    await mkdir(RUN_DIRECTORY, { recursive: true });
    const directory = await mkdtemp(path.join(RUN_DIRECTORY, `${process.pid}-`));
    await chmod(directory, 0o755);
    const control = new ControlSocket(path.join(directory, "socket"), handlers, options);
    await new Promise<void>((resolve, reject) => {
      control.#server.once("error", reject);
      control.#server.listen(control.path, resolve);
    });
    await chmod(control.path, options.mode);
    await chown(control.path, options.uid, options.gid);
    return control;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    let link: AgentLink | undefined;
    const frames = new FrameReader((type, body) => {
      if (link) link.receive(type, body);
      else link = this.#first(socket, { type, body });
    }, MOST_BYTES);
    socket.on("data", (chunk) => {
      try {
        frames.push(chunk);
      } catch (error) {
        this.#handlers.warn(`Cannot read from a client of the control socket: ${error}`);
        socket.destroy();
      }
    });
  }

  /** The first frame says who it is. */
  #first(socket: Socket, frame: { type: number; body: Uint8Array }): AgentLink | undefined {
    const { onAgent, onFarewell, onExpired, onSource } = this.#handlers;
    const value: unknown = JSON.parse(new TextDecoder().decode(frame.body));
    if (frame.type === FRAME.request) {
      this.#answer(socket, value);
      return undefined;
    }
    const hello = value as Hello;
    if (frame.type !== FRAME.hello || hello?.protocol !== PROTOCOL_VERSION || !isWhole(hello)) {
      throw new Error("it speaks another protocol; the target was started by another version");
    }
    const link: AgentLink = new AgentLink(socket, {
      onFarewell: (coverage) => onFarewell(link, coverage),
      onExpired: () => onExpired(link),
      onSource: (source) => onSource(link, source),
    });
    onAgent(link, hello);
    return link;
  }

  async #answer(socket: Socket, request: unknown): Promise<void> {
    let response: unknown;
    try {
      response = { result: await this.#handlers.onRequest(request) };
    } catch (error) {
      response = { error: (error as Error).message };
    }
    socket.end(packFrame(FRAME.response, Buffer.from(JSON.stringify(response))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroySoon();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await rm(path.dirname(this.path), { recursive: true, force: true });
  }
}

function isWhole(hello: Hello): boolean {
  const { name, pid, runtime, parent = 0, tid = 0, attachment = "" } = hello;
  const { include = [], exclude = [], collector = "v8" } = hello;
  return typeof name === "string" && typeof runtime === "string" &&
    [pid, tid].every(Number.isSafeInteger) && typeof attachment === "string" &&
    (typeof parent === "string" || Number.isSafeInteger(parent)) &&
    [include, exclude].every(isStrings) && (collector === "v8" || collector === "trace");
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** Removes what servers that were killed have left. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(RUN_DIRECTORY).catch(() => [])) {
    const pid = parseInt(name, 10);
    if (!(pid > 0)) continue;
    try {
      process.kill(pid, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") continue;
      await rm(path.join(RUN_DIRECTORY, name), { recursive: true, force: true });
    }
  }
}
