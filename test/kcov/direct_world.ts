/** A device whose areas are files, as with passthrough. Made-up targets write into them. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { AreaFile, DeviceOptions } from "../../src/kcov/mod.ts";
import { SharedFile } from "../../src/base/shared_file.ts";
import { SharedFolder } from "../../src/base/shared_folder.ts";
import { DeviceWorld } from "./device_world.ts";

const OWNER = { mode: 0o600, uid: 0, gid: 0 };

/** A world whose instances have files, in the order in which they were opened. */
export class DirectWorld extends DeviceWorld {
  readonly files: AreaFile[];
  readonly #folder: SharedFolder;

  private constructor(
    options: Partial<DeviceOptions>,
    own: { folder: SharedFolder; files: AreaFile[] },
  ) {
    super(options);
    this.files = own.files;
    this.#folder = own.folder;
  }

  /** @param options `limit`: bytes beyond which no file grows. */
  static async make(
    { limit = Infinity, ...options }: Partial<DeviceOptions> & { limit?: number } = {},
  ): Promise<DirectWorld> {
    const folder = await SharedFolder.make();
    const files: AreaFile[] = [];
    const makeFile = () => {
      const file = new SharedFile(path.join(folder.path, `area-${files.length}`), OWNER);
      files.push(limit === Infinity ? file : limited(file, limit));
      return files.at(-1)!;
    };
    return new DirectWorld({ files: () => makeFile, ...options }, { folder, files });
  }

  /** The numbers of the files that still exist. */
  get present(): number[] {
    return [...this.files.keys()].filter((i) => fs.existsSync(this.files[i].path));
  }

  /** The instances' numbers in the last `trace`. */
  get tracedIds(): number[] {
    return (this.source.traced.at(-1) ?? []).map(({ id }) => id);
  }

  /** Writes words of a file, as a target or a client that maps it. */
  write(file: number, words: readonly bigint[], at = 0): void {
    const bytes = new Uint8Array(BigUint64Array.from(words).buffer);
    fs.writeSync(this.files[file].fd, bytes, 0, bytes.length, 8 * at);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

function limited(file: AreaFile, limit: number): AreaFile {
  return {
    path: file.path,
    fd: file.fd,
    grow(bytes) {
      if (bytes > limit) throw new Error("ENOSPC");
      file.grow(bytes);
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}
