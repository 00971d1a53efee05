import type { CdpSession } from "../cdp/session.ts";

/** The most UTF-16 units of sources that are kept; the sources that were fetched first are dropped first. */
const MOST_UNITS = 64 * 1024 * 1024;

/** Sources of scripts of documents that were left, until somebody asks for them. */
export class KeptSources {
  readonly #session: CdpSession;
  readonly #sources = new Map<string, string>();
  #units = 0;

  constructor(session: CdpSession) {
    this.#session = session;
  }

  /**
   * Fetches the sources of scripts of the current document. Never rejects: scripts that are gone are left
   * out.
   *
   * @param keyOf The key under which a script is kept; undefined if it is not to be kept.
   */
  async fetch(
    scriptIds: Iterable<string>,
    keyOf: (scriptId: string) => string | undefined,
  ): Promise<void> {
    await Promise.all([...scriptIds].map(async (scriptId) => {
      const key = keyOf(scriptId);
      if (key === undefined || this.#sources.has(key)) return;
      const answer = await this.#session.send("Debugger.getScriptSource", { scriptId })
        .catch(() => undefined);
      if (answer) this.#add(key, answer.scriptSource);
    }));
  }

  #add(key: string, source: string): void {
    this.#sources.set(key, source);
    this.#units += source.length;
    for (const [oldest, text] of this.#sources) {
      if (this.#units <= MOST_UNITS) return;
      this.#sources.delete(oldest);
      this.#units -= text.length;
    }
  }

  /** Hands out the sources that are there. */
  take(keys: readonly string[]): Map<string, string> {
    const found = new Map<string, string>();
    for (const key of keys) {
      const source = this.#sources.get(key);
      if (source === undefined) continue;
      found.set(key, source);
      this.#sources.delete(key);
      this.#units -= source.length;
    }
    return found;
  }
}
