/** An agent's end of its connection, in memory: frames of the link come out of it. */
import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { FRAME, FrameReader, packNumber, unpackNumber } from "../../src/messages/protocol.ts";
import {
  type AgentEvents,
  AgentLink,
  type AgentLinkOptions,
} from "../../src/targets/agent_link.ts";

/** A frame of the server's. */
export interface Frame {
  readonly type: number;
  readonly body: Uint8Array;
}

/** A batch of the server's. */
export interface Batch {
  readonly number: number;
  readonly hold: boolean;
  readonly run: number;
  readonly messages: { id: number; method: string; params?: unknown }[];
}

/** The part of a socket that an {@linkcode AgentLink} uses. */
class MemorySocket extends Duplex {
  readonly frames: Frame[] = [];
  readonly #reader = new FrameReader((type, body) => this.frames.push({ type, body }), 1 << 20);

  override _read(): void {}

  /** Whether it reads nothing that is written to it. */
  isDeaf = false;

  override _write(chunk: Uint8Array, _: string, done: () => void): void {
    if (this.isDeaf) return;
    this.#reader.push(chunk);
    done();
  }

  destroySoon(): void {
    this.end(() => this.destroy());
  }
}

export class FakeAgent {
  readonly link: AgentLink;
  readonly #socket = new MemorySocket();

  /** @param end `isDeaf`: it reads nothing. */
  constructor(
    events: Partial<AgentEvents> = {},
    options: Partial<AgentLinkOptions> = {},
    end: { isDeaf?: boolean } = {},
  ) {
    this.#socket.isDeaf = end.isDeaf ?? false;
    this.link = new AgentLink(this.#socket as unknown as Socket, {
      onFarewell: () => Promise.resolve(),
      onExpired() {},
      onSource: () => Promise.resolve({}),
      ...events,
    }, { collectTimeout: 5000, isTraced: true, ...options });
  }

  get isConnected(): boolean {
    return !this.#socket.destroyed;
  }

  /** Frames that the link has sent since the last call. */
  take(): Frame[] {
    return this.#socket.frames.splice(0);
  }

  /** The batches since the last call; no other frames are expected. */
  takeBatches(): Batch[] {
    return this.take().map(({ type, body }) => {
      if (type !== FRAME.batch) throw new Error(`a frame ${type} is no batch`);
      const text = new TextDecoder().decode(body.subarray(9));
      const messages = (JSON.parse(text) as [number, string][]).map((
        [, message],
      ) => JSON.parse(message));
      return {
        number: unpackNumber(body),
        hold: body[4] !== 0,
        run: unpackNumber(body, 5),
        messages,
      };
    });
  }

  /** Sends a frame of the agent's. */
  send(type: number, ...parts: (Uint8Array | string)[]): void {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
    // In the middle of a larger buffer, as in a stream.
    const around = Buffer.concat([Buffer.alloc(8, 1), body, Buffer.alloc(8, 1)]);
    this.link.receive(type, around.subarray(8, 8 + body.length));
  }

  /** Sends a CDP message of the target's. */
  say(message: object): void {
    this.send(FRAME.message, JSON.stringify(message));
  }

  /** Ends a batch, with coverage if there is any. */
  finish(batch: number, outcome: { held: boolean; coverage?: string }): void {
    const { held, coverage } = outcome;
    if (coverage !== undefined) {
      this.send(FRAME.taken, packNumber(batch), coverage);
    }
    if (held) this.send(FRAME.held, packNumber(batch), packNumber(0));
    else this.send(FRAME.unheld, packNumber(batch));
  }

  /** The target's process is gone. */
  disconnect(): void {
    this.#socket.destroy();
  }
}
