import type { LiveQuestions, LiveReport, LoadedScript } from "../../messages/live.ts";
import { LivePlan, type LiveScript, WINDOW } from "../../live/live_plan.ts";

/** Asks the isolate; undefined when it cannot answer. */
export type AskIsolate = <K extends keyof LiveQuestions>(
  what: K,
  question: LiveQuestions[K]["question"],
) => Promise<LiveQuestions[K]["answer"] | undefined>;

export interface LiveScriptsOptions {
  readonly ask: AskIsolate;
  /** Which scripts get probes: their indices, in this order. */
  readonly choose: (scripts: readonly LoadedScript[]) => Promise<readonly number[]>;
  /** Gives a script's probes; undefined if it stays as it is. */
  readonly probe: (
    script: { url: string; source: string; isModule: boolean },
  ) => Promise<LiveScript | undefined>;
  readonly report: (report: LiveReport | undefined) => void;
  /** ms for which an edit may stop the program. Edits that are foreseen to take longer are left out. */
  readonly pause: number;
}

/** A script with probes, or on its way. */
interface Edited {
  readonly id: string;
  readonly url: string;
  readonly source: string;
  readonly script: LiveScript;
  readonly plan: LivePlan;
}

/** ms between two edits, at most: the program is to come to run as long as it stood still. */
const LONGEST_REST = 250;
/** ms after which what V8 has refused is tried again: a function may have left the stack. */
const RETRIES = [500, 2000, 8000, 30_000, 60_000, 120_000, 300_000];
/** ms between the last attempts to take probes out, and how many there are. */
const REMOVAL = { rest: 50, times: 40 };
/** Edits that say how long the next takes. */
const REMEMBERED = 5;

/**
 * Gives the scripts that a program has loaded probes, and takes them out again, edit by edit.
 *
 * All is known here that is needed to take them out: the server may be gone by then.
 */
export class LiveScripts {
  readonly #options: LiveScriptsOptions;
  readonly #edited: Edited[] = [];
  readonly #costs = new EditCosts();
  #lines: number = WINDOW.first;
  #isEnding = false;
  /** One thing at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  #ended: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LiveScriptsOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  begin(): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await this.#probeAll();
      } finally {
        this.#options.report(undefined);
        this.#retryAfter(0);
      }
    });
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(action).catch(() => {}).then(() => this.#options.ask("close", {}));
    this.#turn = done;
    return done.then(() => {});
  }

  async #probeAll(): Promise<void> {
    const { ask, choose } = this.#options;
    const loaded = await ask("open", {}) ?? [];
    for (const index of await choose(loaded)) {
      if (this.#isEnding) return;
      await this.#probe(loaded[index]);
    }
  }

  async #probe({ id, url, isModule }: LoadedScript): Promise<void> {
    const { ask, probe, report, pause } = this.#options;
    const source = await ask("source", { id });
    const script = typeof source === "string" ? await probe({ url, source, isModule }) : undefined;
    const none = { url, done: 0, all: 0, refused: [] };
    if (typeof source !== "string" || script === undefined) return report(none);
    const expected = this.#costs.expect(source.length);
    if (expected > pause) {
      const reason = `an edit of it would stop the program for some ${Math.round(expected)} ms; ` +
        "see 'kcovfs attach --attach-pause'";
      return report({ ...none, reason });
    }
    const plan = new LivePlan(source, script, { isModule });
    const edited = { id, url, source, script, plan };
    this.#edited.push(edited);
    await this.#follow(edited);
    report({ url, ...plan.state });
  }

  /** Has V8 take a plan's texts, as far as it does. */
  async #follow({ id, url, source, script, plan }: Edited): Promise<void> {
    const { ask, pause } = this.#options;
    for (;;) {
      const wasEnding = this.#isEnding;
      const next = plan.next(this.#lines);
      if (!next) return;
      const { firstPc, blocks } = script;
      const answer = await ask("edit", { id, url, firstPc, blocks, ...next });
      if (!answer) throw new Error("the isolate cannot be asked");
      plan.answer(answer.status);
      this.#costs.add(source.length, answer.ms);
      if (answer.ms > pause / 2) this.#lines = Math.max(WINDOW.least, this.#lines >> 1);
      else if (answer.ms < pause / 4) this.#lines = Math.min(WINDOW.most, this.#lines * 2);
      await rest(Math.min(answer.ms, LONGEST_REST));
      // It is to be let go.
      if (this.#isEnding !== wasEnding) return;
    }
  }

  #retryAfter(count: number): void {
    if (count >= RETRIES.length || this.#isEnding) return;
    this.#timer = setTimeout(async () => {
      await this.#inTurn(() => this.#retry());
      this.#retryAfter(count + 1);
    }, RETRIES[count]);
  }

  async #retry(): Promise<void> {
    const refused = this.#edited.filter(({ plan }) => plan.retry());
    if (refused.length === 0) return;
    await this.#options.ask("open", {});
    for (const edited of refused) {
      if (this.#isEnding) return;
      if (!await this.#isAsLeft(edited)) continue;
      await this.#follow(edited);
      this.#options.report({ url: edited.url, ...edited.plan.state });
    }
  }

  /** Another debugger may have changed it, or V8 have let go of it. */
  async #isAsLeft({ id, plan }: Edited): Promise<boolean> {
    return await this.#options.ask("source", { id }) === plan.current;
  }

  /** Takes probes out, as far as V8 lets it: a function that waits keeps them, and they lead nowhere. */
  end(): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    return this.#ended ??= this.#inTurn(async () => {
      if (this.#edited.length === 0) return;
      await this.#options.ask("open", {});
      const changed: Edited[] = [];
      for (const edited of this.#edited) {
        if (!edited.plan.isChanged || !await this.#isAsLeft(edited)) continue;
        edited.plan.turn(false);
        await this.#follow(edited);
        if (edited.plan.isChanged) changed.push(edited);
      }
      await this.#takeOutRest(changed);
    });
  }

  async #takeOutRest(changed: readonly Edited[]): Promise<void> {
    let left = changed;
    for (let i = 0; i < REMOVAL.times && left.length > 0; i++) {
      await rest(REMOVAL.rest);
      for (const { plan } of left) plan.retry();
      for (const edited of left) await this.#follow(edited);
      left = left.filter(({ plan }) => plan.isChanged);
    }
  }
}

/** How long edits take: a part that each takes, for V8 walks its heap, and one by the script's length. */
class EditCosts {
  #least = Infinity;
  readonly #last: { length: number; ms: number }[] = [];

  add(length: number, ms: number): void {
    this.#least = Math.min(this.#least, ms);
    this.#last.push({ length, ms });
    if (this.#last.length > REMEMBERED) this.#last.shift();
  }

  /** ms; 0 where nothing is known yet. */
  expect(length: number): number {
    if (this.#last.length === 0) return 0;
    const mean = (pick: (one: { length: number; ms: number }) => number) =>
      this.#last.reduce((sum, one) => sum + pick(one), 0) / this.#last.length;
    const ms = mean((one) => one.ms);
    const least = Math.min(this.#least, ms);
    return least + (ms - least) * length / Math.max(1, mean((one) => one.length));
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
