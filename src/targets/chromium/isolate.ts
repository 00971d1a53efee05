import { letRun } from "../../messages/isolate.ts";
import { pickScripts } from "../../messages/script_slices.ts";
import type { CdpSession } from "../cdp/session.ts";
import type { Pauser } from "./pauser.ts";

/** A page, frame or worker in an isolate. */
export interface Member {
  readonly session: CdpSession;
  readonly pauser: Pauser;
  /** Whether commands reach it: they do not while it navigates, nor after it has crashed. */
  readonly isReachable: boolean;
  /** Whether a script of the isolate was parsed in its documents. */
  readonly owns: (scriptId: string) => boolean;
  /** Whether a script is to be kept, by its {@linkcode Isolate.qualify}ed id. */
  readonly wants: (qualified: string) => boolean;
  /** Takes its part of a collection, a JSON array whose script ids are {@linkcode Isolate.qualify}'s. */
  readonly keep: (coverage: Buffer) => void;
  /** Takes the hits of its own probes, if it has any. Never rejects. */
  readonly readHits: () => Promise<void>;
  /** Moves it to another isolate, where it was found to be; returns that isolate. */
  readonly move: (isolateId: string) => Isolate;
}

/**
 * One V8 isolate of a browser: a renderer's main thread or a worker. Pages of one renderer share it. V8's
 * counts are those of the isolate: to take them for one page takes them from all. So it is collected from and
 * held as one, and a collection is dealt out to the pages by the documents that parsed the scripts.
 */
export class Isolate {
  /** The id that `Runtime.getIsolateId` gives. */
  readonly id: string;
  readonly #prefix: string;
  readonly #members = new Set<Member>();
  readonly #held = new Set<Member>();
  #stopping: Promise<boolean> | undefined;

  /** @param serial Different from that of any other isolate that a member may have been in. */
  constructor(id: string, serial: number) {
    this.id = id;
    this.#prefix = `${serial}.`;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** Each isolate counts its script ids from the beginning; qualified ids are unique. */
  qualify(scriptId: string): string {
    return this.#prefix + scriptId;
  }

  /** The script id that was qualified, if it is of this isolate. */
  unqualify(qualified: string): string | undefined {
    return qualified.startsWith(this.#prefix) ? qualified.slice(this.#prefix.length) : undefined;
  }

  join(member: Member): void {
    this.#members.add(member);
    this.yieldTo(member);
    if (member.pauser.isWanted) this.#held.add(member);
    if (this.#held.size > 0) member.pauser.want();
  }

  /** Only one of the members can be armed, or paused. */
  yieldTo(member: Member): void {
    for (const other of this.#members) if (other !== member) other.pauser.yield();
  }

  /** If the member is held itself, it stays held; if only others of the isolate are, it does not. */
  leave(member: Member): void {
    this.#members.delete(member);
    if (this.#held.delete(member)) this.#releaseUnlessHeld();
    else member.pauser.release();
  }

  /** Waits until it has run for some µs since its last hold, unless it is held now. */
  async letRun(us: number): Promise<void> {
    if (this.#held.size > 0) return;
    const resumed = await Promise.all([...this.#members].map(({ pauser }) => pauser.resumed));
    await letRun(Math.max(...resumed) + us / 1000);
  }

  /**
   * Collects, for all members, and holds them.
   *
   * @returns whether nothing has run since, and nothing will until the release.
   */
  async stop(member: Member, options: { hold: boolean }): Promise<boolean> {
    if (options.hold) this.#held.add(member);
    this.#stopping ??= this.#stop(member, options).finally(() => this.#stopping = undefined);
    return await this.#stopping;
  }

  async #stop(asking: Member, options: { hold: boolean }): Promise<boolean> {
    const members = [...this.#members];
    const lead = members.find(({ pauser }) => pauser.isPaused) ??
      members.find(({ isReachable }) => isReachable) ?? asking;
    const isHolding = options.hold && lead.isReachable;
    if (isHolding) {
      for (const { pauser } of members) pauser.want();
      await (members.length > 1 ? lead.pauser.pause() : lead.pauser.hold());
    }
    await this.collect(lead);
    return isHolding && this.#isStill;
  }

  get #isStill(): boolean {
    const members = [...this.#members];
    return members.some(({ pauser }) => pauser.isPaused) ||
      members.length === 1 && members[0].pauser.isStill;
  }

  /** Takes the isolate's counts by way of one of its members, and deals them out. */
  async collect(lead: Member): Promise<void> {
    const [{ id }, answer] = await Promise.all([
      lead.session.send("Runtime.getIsolateId"),
      lead.session.take((answer) => answer),
      ...[...this.#members].map((member) => member.readHits()),
    ]);
    const isolate = id === this.id ? this : lead.move(id);
    isolate.#deal(answer, lead);
  }

  /** Scripts that belong to no member's documents any more are the lead's. */
  #deal(answer: Buffer, lead: Member): void {
    const options = { prefix: this.#prefix };
    const members = [...this.#members];
    for (const member of members) {
      const isIts = (scriptId: string) =>
        members.length === 1 || member.owns(scriptId) ||
        member === lead && !members.some((other) => other.owns(scriptId));
      const part = pickScripts(
        answer,
        (scriptId) => isIts(scriptId) && member.wants(this.qualify(scriptId)),
        options,
      );
      if (part) member.keep(part);
    }
  }

  /** Lets the isolate go on when no member is held any more. */
  release(member: Member): void {
    if (this.#held.delete(member)) this.#releaseUnlessHeld();
  }

  #releaseUnlessHeld(): void {
    if (this.#held.size > 0) return;
    for (const { pauser } of this.#members) pauser.release();
  }
}
