import { chmod, chown } from "node:fs/promises";
import { chmodSync, chownSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import * as path from "node:path";
import {
  FRAME,
  FrameReader,
  packFrame,
  type ProbedSource,
  PROTOCOL_VERSION,
} from "../messages/protocol.ts";
import type { LockedFolder } from "../base/locked_folder.ts";
import { parseFlatJson } from "../base/flat_json.ts";
import { check } from "../base/shape.ts";
import { HELLO, type Hello, type NewSource } from "../messages/agent_messages.ts";
import { type Peer, peerOf } from "../base/peer.ts";
import { makeRunFolder, openRunFolder, SOCKET_NAME } from "../messages/run_folder.ts";
import { mkfifo } from "../base/system_calls.ts";
import { AgentLink } from "../targets/agent_link.ts";
import { UserError } from "../base/user_error.ts";
import { LimitedReporter, type Reporter } from "../base/reporter.ts";

/** Takes the connections that come as targets. */
export interface Agents {
  /** A process wants to be a target; `link` is to be welcomed. */
  admit(link: AgentLink, hello: Hello, options: { peer: Peer }): unknown;
  /** A target exits, with its last coverage. */
  farewell(link: AgentLink, coverage: Uint8Array): Promise<void>;
  /** A target gave up a hold that lasted too long. */
  expired(link: AgentLink): void;
  /** A target's script is to have probes. Never rejects. */
  probe(link: AgentLink, source: NewSource): Promise<ProbedSource>;
}

/** Answers commands. */
export interface Requests {
  /** @param peer Undefined if nobody can tell who it is. */
  answer(request: unknown, peer: Peer | undefined): Promise<unknown>;
}

/** The receivers of what comes in on the control socket. */
export interface ControlHandlers {
  readonly agents: Agents;
  readonly requests: Requests;
}

/** Who may connect, and how much they may send. */
export interface ControlOptions {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** ms for a target to answer: it may not send more than can be read in a part of that time. */
  readonly collectTimeout: number;
  /** Bytes of all frames that have not arrived whole. @default {1 GiB} */
  readonly mostPending?: number;
  readonly reporter: Reporter;
}

/** Bytes of a connection's first frame, and its parts: it has a target's globs, or a command's. */
const MOST_FIRST_BYTES = 64 * 1024;
const FIRST_BOUNDS = { depth: 8, marks: 10_000 };
/** ms for a connection to say who it is. */
const FIRST_TIMEOUT = 10_000;
/** ms for a command to read its answer. */
const READ_TIMEOUT = 60_000;
/** ms for all to read what was sent to them, when the server ends. */
const END_TIMEOUT = 2000;
/** Connections that have not yet said who they are, commands that wait for answers, and targets. */
const MOST_STRANGERS = 256;
const MOST_COMMANDS = 256;
const MOST_AGENTS = 4096;
/** Connections that wait to be accepted; the kernel's own limit is `net.core.somaxconn`. */
const BACKLOG = 4096;
const MOST_PENDING = 1024 * 1024 * 1024;
/** The most warnings about peers that send nonsense. */
const WARN_LIMITS = { most: 20, interval: 10_000 };

/** The socket on which targets and commands reach a server. */
export class ControlSocket implements AsyncDisposable {
  readonly path: string;
  readonly #folder: LockedFolder;
  readonly #server = createServer();
  readonly #options: ControlOptions;
  readonly #reporter: LimitedReporter;
  readonly #sockets = new Set<Socket>();
  /** Connections that have not yet said who they are, the oldest first. */
  readonly #strangers = new Set<Socket>();
  readonly #commands = new Set<Socket>();
  readonly #agents = new Set<Socket>();
  #pending = 0;
  #pipes = 0;

  private constructor(folder: LockedFolder, options: ControlOptions) {
    this.#folder = folder;
    this.path = path.join(folder.path, SOCKET_NAME);
    this.#options = options;
    this.#reporter = new LimitedReporter(options.reporter, WARN_LIMITS);
  }

  /** Makes a folder of this process's own for the socket. */
  static async make(options: ControlOptions): Promise<ControlSocket> {
    return new ControlSocket(await makeRunFolder(), options);
  }

  /** Makes a FIFO beside the socket, for an agent to be held at: only its user can open it. */
  makePipe({ uid, gid }: Pick<Peer, "uid" | "gid">): string {
    const pipe = path.join(this.#folder.path, `pipe-${this.#pipes++}`);
    mkfifo(pipe, 0o600);
    // `mkfifo` has applied the umask.
    chmodSync(pipe, 0o600);
    // Root can open it, whoever owns it.
    if (uid !== 0 && uid !== process.geteuid!()) chownSync(pipe, uid, gid);
    return pipe;
  }

  /** Begins to serve. If it cannot, this is disposed of. */
  async listen(handlers: ControlHandlers): Promise<void> {
    const server = this.#server;
    server.on("connection", (socket) => this.#accept(socket, handlers));
    const { mode, uid, gid } = this.#options;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ path: this.path, backlog: BACKLOG }, resolve);
      });
      // A connection that cannot be accepted, because descriptors are used up, for example, does not end the
      // socket.
      server.on("error", (error) => {
        this.#reporter.warn(`Cannot take a connection to the control socket: ${error.message}`);
      });
      await chmod(this.path, mode);
      await chown(this.path, uid, gid);
      await openRunFolder(this.#folder);
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  #accept(socket: Socket, handlers: ControlHandlers): void {
    this.#sockets.add(socket);
    this.#strangers.add(socket);
    const timer = setTimeout(() => socket.destroy(), FIRST_TIMEOUT);
    const peer = this.#peerOf(socket);
    const { mostPending = MOST_PENDING } = this.#options;
    let link: AgentLink | undefined;
    const frames = new FrameReader((type, body) => {
      if (link) return link.receive(type, body);
      // A command has asked already; it may not say more.
      if (!this.#strangers.delete(socket)) {
        throw new Error("it says more than one thing");
      }
      clearTimeout(timer);
      link = this.#first(socket, { type, body, peer, handlers });
    }, (type) => link ? link.mostBytes(type) : mostFirstBytes(type));
    let pending = 0;
    const count = (bytes: number) => {
      this.#pending += bytes - pending;
      pending = bytes;
    };
    socket.on("close", () => {
      clearTimeout(timer);
      count(0);
      for (const set of this.#sets) set.delete(socket);
    });
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      try {
        if (!socket.destroyed) frames.push(chunk);
        count(frames.pending);
        if (this.#pending > mostPending) {
          throw new Error("too much has begun to come");
        }
      } catch (error) {
        this.#drop(socket, { link, peer, error: error as Error });
      }
    });
    if (this.#strangers.size > MOST_STRANGERS) this.#dropOldest();
  }

  get #sets(): Set<Socket>[] {
    return [this.#sockets, this.#strangers, this.#commands, this.#agents];
  }

  /** Who connected. If the runtime cannot tell, it is the only user who may connect, if there is only one. */
  #peerOf(socket: Socket): Peer | undefined {
    const { mode, uid, gid } = this.#options;
    return peerOf(socket) ??
      ((mode & 0o077) === 0 ? { pid: 0, uid, gid } : undefined);
  }

  #drop(
    socket: Socket,
    { link, peer, error }: {
      link: AgentLink | undefined;
      peer: Peer | undefined;
      error: Error;
    },
  ): void {
    const pid = peer && peer.pid > 0 ? ` (pid ${peer.pid})` : "";
    this.#reporter.warn(
      `Cannot read from a client of the control socket${pid}: ${error}`,
    );
    if (link) link.fail(error.message);
    else socket.destroy();
  }

  #dropOldest(): void {
    const [oldest] = this.#strangers;
    this.#strangers.delete(oldest);
    oldest.destroy();
    this.#reporter.warn(
      `More than ${MOST_STRANGERS} clients of the control socket do not say who they are: the oldest is disconnected`,
    );
  }

  /** The first frame says who it is. */
  #first(
    socket: Socket,
    { type, body, peer, handlers: { agents, requests } }: {
      type: number;
      body: Uint8Array;
      peer: Peer | undefined;
      handlers: ControlHandlers;
    },
  ): AgentLink | undefined {
    const value = parseFlatJson(body, FIRST_BOUNDS);
    if (type === FRAME.request) {
      this.#answer(socket, () => requests.answer(value, peer));
      return undefined;
    }
    const hello = helloOf(type, value);
    if (!peer) {
      throw new Error(
        "this runtime cannot tell whose process it is; use --mode 600",
      );
    }
    if (this.#agents.size >= MOST_AGENTS) {
      throw new Error(`there are ${MOST_AGENTS} targets`);
    }
    this.#agents.add(socket);
    const link: AgentLink = new AgentLink(socket, {
      onFarewell: (coverage) => agents.farewell(link, coverage),
      onExpired: () => agents.expired(link),
      onSource: (source) => agents.probe(link, source),
    }, {
      collectTimeout: this.#options.collectTimeout,
      isTraced: hello.collector === "trace",
    });
    agents.admit(link, hello, { peer });
    return link;
  }

  async #answer(socket: Socket, answer: () => Promise<unknown>): Promise<void> {
    let response: unknown;
    try {
      if (this.#commands.size >= MOST_COMMANDS) {
        throw new UserError("Cannot answer: the server is busy; try again");
      }
      this.#commands.add(socket);
      response = { result: await answer() };
    } catch (error) {
      const { message } = error as Error;
      response = error instanceof UserError ? { refusal: message } : { error: message };
    }
    if (socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), READ_TIMEOUT);
    socket.once("close", () => clearTimeout(timer));
    socket.end(
      packFrame(FRAME.response, Buffer.from(JSON.stringify(response))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroySoon();
    const timer = setTimeout(
      () => this.#sockets.forEach((socket) => socket.destroy()),
      END_TIMEOUT,
    );
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    clearTimeout(timer);
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** Only these types can be a first frame. */
function mostFirstBytes(type: number): number {
  return type === FRAME.hello || type === FRAME.request ? MOST_FIRST_BYTES : 0;
}

/** @throws what is wrong with the hello. */
function helloOf(type: number, value: unknown): Hello {
  const { protocol } = (value ?? {}) as { protocol?: unknown };
  if (type !== FRAME.hello || protocol !== PROTOCOL_VERSION) {
    throw new Error("it speaks another protocol; the target was started by another version");
  }
  return check(HELLO, value);
}
