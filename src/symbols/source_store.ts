import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import * as path from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import * as v from "valibot";
import { makeFolder } from "../base/make_folder.ts";
import { checkJson, list, record } from "../base/shape.ts";

/** A text that blocks stand in. */
export type SourceText = v.InferOutput<typeof SOURCE_TEXT>;
const SOURCE_TEXT = record({
  /** Its URL, or a source map's name for it. */
  url: v.string(),
  text: v.string(),
});

/** A script's identity, as in the symbol table. */
export interface ScriptKey {
  readonly url: string;
  /** See `scriptHash`. */
  readonly hash: string;
}

/** The texts that the blocks of a script stand in. */
export type KeptSource = v.InferOutput<typeof KEPT_SOURCE>;
const KEPT_SOURCE = record({
  source: v.string(),
  /** The script's originals, by its source map's names for them. */
  originals: list(SOURCE_TEXT),
});

/** Bytes that are kept in memory because they could not be written. */
const MOST_UNWRITTEN = 16 << 20;

const [pack, unpack] = [promisify(gzip), promisify(gunzip)];

/**
 * The sources of scripts at the time when they got their PCs, for reports: by then the files may have changed,
 * or be gone. Each script has one compressed file, which only its owner can read.
 */
export class SourceStore implements AsyncDisposable {
  readonly #folder: string;
  readonly #pending = new Set<Promise<void>>();
  #temporary = 0;
  /** Bytes that could not be written, by file: they are tried again. */
  readonly #unwritten = new Map<string, Uint8Array>();
  #unwrittenBytes = 0;

  /** @param folder Made when the first source is kept; its parent must exist. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  has(script: ScriptKey): boolean {
    return existsSync(this.#fileOf(script));
  }

  /**
   * Keeps a script's texts. They are written some time later. If that fails, it is tried again with the next
   * script and at the end; reports lack the texts until then.
   */
  keep(script: ScriptKey, texts: KeptSource): void {
    this.#run(this.#keep(this.#fileOf(script), texts));
  }

  #run(work: Promise<void>): void {
    const done = work.catch(() => {});
    this.#pending.add(done);
    done.then(() => this.#pending.delete(done));
  }

  async #keep(file: string, { source, originals }: KeptSource): Promise<void> {
    const bytes = await pack(JSON.stringify({ source, originals }), { level: 1 });
    try {
      await this.#write(file, bytes);
    } catch (error) {
      this.#remember(file, bytes);
      throw error;
    }
    await this.#retry();
  }

  /** Writes the file whole or not at all, also when the machine stops. */
  async #write(file: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${file}.${process.pid}.${this.#temporary++}`;
    try {
      await makeFolder(this.#folder, 0o700);
      const handle = await open(temporary, "w", 0o600);
      try {
        // Whatever the umask.
        await handle.chmod(0o600);
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #remember(file: string, bytes: Uint8Array): void {
    if (this.#unwritten.has(file) || this.#unwrittenBytes + bytes.length > MOST_UNWRITTEN) return;
    this.#unwritten.set(file, bytes);
    this.#unwrittenBytes += bytes.length;
  }

  /** @throws when one of the files still cannot be written. */
  async #retry(): Promise<void> {
    for (const [file, bytes] of [...this.#unwritten]) {
      if (!this.#unwritten.delete(file)) continue;
      this.#unwrittenBytes -= bytes.length;
      try {
        await this.#write(file, bytes);
      } catch (error) {
        this.#remember(file, bytes);
        throw error;
      }
    }
  }

  /** @returns undefined where the texts were not kept, or cannot be read. */
  async read(script: ScriptKey): Promise<KeptSource | undefined> {
    try {
      const text = await unpack(await readFile(this.#fileOf(script)));
      return checkJson(KEPT_SOURCE, text.toString("utf8"));
    } catch {
      return undefined;
    }
  }

  #fileOf({ url, hash }: ScriptKey): string {
    const place = createHash("sha256").update(url).digest("hex").slice(0, 16);
    return path.join(this.#folder, `${hash.slice(0, 48)}-${place}.json.gz`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pending);
    await this.#retry().catch(() => {});
  }
}
