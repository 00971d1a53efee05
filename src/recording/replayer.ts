import {
  type DecodedRequest,
  decodeReply,
  decodeRequest,
  formatNotification,
  formatNotified,
  formatReply,
  formatRequest,
  type Log,
} from "../fuse/mod.ts";
import { compareReplies } from "./compare_replies.ts";
import { type Entry, unpackMessage } from "./entry.ts";
import type { Recording } from "./read_recording.ts";
import { RecordedWorld } from "./recorded_world.ts";
import { ReplayedServer } from "./replayed_server.ts";
import { UserError } from "../base/user_error.ts";
import type { Unique } from "../fuse/mod.ts";

/** The results of a replay. */
export interface Findings {
  readonly requests: number;
  /** Replies that were compared and are the same. */
  same: number;
  different: number;
  /** See {@linkcode compareReplies}. */
  uncompared: number;
}

export interface ReplayOptions {
  /** Takes each line of the conversation. `isNews`: whether the line is a difference or a warning. */
  readonly print: (line: string, isNews: boolean) => void;
  /** ms to wait for a reply. @default {5000} */
  readonly patience?: number;
  /** Takes the device's log of the replay. */
  readonly log?: Log;
}

/** A request that was fed, until its recorded reply has come. */
interface Asked {
  readonly request: DecodedRequest;
  readonly replied: Promise<Uint8Array>;
}

const UNANSWERED: ReadonlySet<string> = new Set(["FORGET", "BATCH_FORGET"]);

/** Feeds a recording's requests to a server, and compares its replies. */
export class Replayer {
  readonly #options: ReplayOptions;
  readonly #world = new RecordedWorld();
  readonly #asked = new Map<Unique, Asked>();
  readonly #replies = new Map<Unique, (bytes: Uint8Array) => void>();
  readonly #found = { requests: 0, same: 0, different: 0, uncompared: 0 };
  /** The kernel's last request. Facts that follow it must be learned before the next. */
  #next: Uint8Array | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** @throws one line for the user when the recording is damaged. */
  async replay(recording: Recording): Promise<Findings> {
    await using server = new ReplayedServer(recording.header, {
      world: this.#world,
      listener: {
        reply: (bytes) => {
          const { unique } = decodeReply(bytes, undefined);
          this.#replies.get(unique)?.(Uint8Array.from(bytes));
          this.#replies.delete(unique);
        },
        reporter: { warn: (line) => this.#options.print(`           !! ${line}`, true) },
        log: this.#options.log,
      },
    });
    for await (const { line, entry } of recording.entries) {
      try {
        await this.#take(entry, server);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        throw new UserError(`Cannot replay line ${line}: ${error.message}; is the file damaged?`);
      }
    }
    this.#feed(server);
    await this.#tellUnrecorded();
    return this.#found;
  }

  #say(t: number, line: string): void {
    this.#options.print(`${t.toFixed(3).padStart(10)} ${line}`, false);
  }

  async #take(entry: Entry, server: ReplayedServer): Promise<void> {
    const { t } = entry;
    if ("rx" in entry) {
      this.#feed(server);
      this.#next = unpackMessage(entry.rx);
      const request = decodeRequest(this.#next);
      this.#say(t, formatRequest(request, request));
    } else if ("tx" in entry) {
      this.#feed(server);
      await this.#compare(t, unpackMessage(entry.tx));
    } else if (!("nt" in entry)) this.#world.learn(entry);
    else if ("bytes" in entry) {
      this.#say(t, formatNotification(entry.nt, unpackMessage(entry.bytes)));
    } else this.#say(t, formatNotified(entry.nt, entry.errno));
  }

  #feed(server: ReplayedServer): void {
    const message = this.#next;
    if (!message) return;
    this.#next = undefined;
    const request = decodeRequest(message);
    const { unique } = request;
    if (!UNANSWERED.has(request.name)) {
      const replied = new Promise<Uint8Array>((resolve) => this.#replies.set(unique, resolve));
      this.#asked.set(unique, { request, replied });
    }
    this.#found.requests++;
    server.receive(message);
  }

  async #compare(t: number, recorded: Uint8Array): Promise<void> {
    const { unique } = decodeReply(recorded, undefined);
    const asked = this.#asked.get(unique);
    this.#asked.delete(unique);
    const { errno, output } = decodeReply(recorded, asked?.request.operation);
    this.#say(t, formatReply(unique, { errno, output }));
    if (!asked) return this.#differ("there is no such request");
    const replayed = await this.#inTime(asked.replied);
    if (!replayed) return this.#differ(`no reply in ${this.#patience} ms`);
    const verdict = compareReplies(asked.request, { recorded, replayed });
    if (verdict === "same") this.#found.same++;
    else if (verdict === "not compared") this.#found.uncompared++;
    else this.#differ(formatReply(unique, decodeReply(replayed, asked.request.operation)));
  }

  #differ(now: string): void {
    this.#found.different++;
    this.#options.print(`   but now ${now}`, true);
  }

  get #patience(): number {
    return this.#options.patience ?? 5000;
  }

  async #inTime<T>(answer: Promise<T>): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.#patience);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The server may have ended before it replied; then its unrecorded reply is of interest. */
  async #tellUnrecorded(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 10));
    for (const [unique, { request, replied }] of this.#asked) {
      if (this.#replies.has(unique)) continue;
      const { errno, output } = decodeReply(await replied, request.operation);
      this.#options.print(` no record ${formatReply(unique, { errno, output })}`, true);
    }
  }
}
