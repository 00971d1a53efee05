import { constants } from "node:fs";
import { abi, type Dirent } from "../fuse/mod.ts";

/** What is in the tree from the start to the end. */
export interface FixedEntry extends Dirent {
  /** Node id of the directory that it is in; 0 for the root. */
  readonly parent: number;
  /** Of a text file: makes its text. */
  readonly content?: () => string | Promise<string>;
}

/** What the entries are made of. */
export interface FixedOptions {
  /** Of which the text files have the bits for reading. */
  readonly mode: number;
  /** Text files in `kcovfs/`. */
  readonly files: ReadonlyMap<string, () => string | Promise<string>>;
}

const DIRECTORY = abi.FUSE_ROOT_ID + 1;
/** The node id of `kcovfs/socket`. */
export const SOCKET = DIRECTORY + 1;
/** The node id of `kcov.d/`. */
export const KCOV_D = SOCKET + 1;
const FIRST_FILE = KCOV_D + 1;

/** The root, `kcov.d/` and `kcovfs/` with what is in it, by node ids, which are inode numbers too. */
export function fixedEntries(options: FixedOptions): Map<number, FixedEntry> {
  const entries = new Map<number, FixedEntry>();
  const add = (ino: number, entry: Omit<FixedEntry, "ino">) => entries.set(ino, { ino, ...entry });
  const directory = constants.S_IFDIR | 0o755;
  add(abi.FUSE_ROOT_ID, { name: "/", parent: 0, mode: directory });
  add(DIRECTORY, { name: "kcovfs", parent: abi.FUSE_ROOT_ID, mode: directory });
  add(KCOV_D, { name: "kcov.d", parent: abi.FUSE_ROOT_ID, mode: directory });
  add(SOCKET, { name: "socket", parent: DIRECTORY, mode: constants.S_IFLNK | 0o777 });
  let ino = FIRST_FILE;
  const mode = constants.S_IFREG | (options.mode & 0o444);
  for (const [name, content] of options.files) {
    add(ino++, { name, parent: DIRECTORY, mode, content });
  }
  return entries;
}
