import * as abi from "./abi.ts";
import { Writer } from "./wire.ts";

/** One name in a directory. */
export interface Dirent {
  readonly name: string;
  readonly ino: number;
  /** The file type bits of a mode (`S_IFREG` and so on). */
  readonly mode: number;
}

/**
 * Packs READDIR's answer: as many whole entries as fit.
 *
 * @param entries The whole directory, in an order that stays while it is open.
 * @param window `offset`: the number of entries that the kernel has had; `size` in bytes.
 */
export function packDirents(
  entries: readonly Dirent[],
  window: { offset: number; size: number },
): Uint8Array {
  const writer = new Writer(Math.min(window.size, 4096));
  for (let i = window.offset; i < entries.length; i++) {
    if (!packOne(writer, entries[i], { off: i + 1, room: window.size })) break;
  }
  return writer.finish();
}

/**
 * Packs READDIRPLUS's answer; it also answers a LOOKUP of each entry.
 *
 * @param lookup Called for each entry that fits. The kernel owes a FORGET for each, unless the node id
 * is 0: then the entry is not looked up.
 */
export function packDirentsPlus(
  entries: readonly Dirent[],
  window: { offset: number; size: number; lookup: (entry: Dirent) => abi.FuseEntryOut },
): Uint8Array {
  const writer = new Writer(Math.min(window.size, 4096));
  for (let i = window.offset; i < entries.length; i++) {
    const needed = abi.fuse_entry_out.size + direntSize(entries[i].name);
    if (writer.length + needed > window.size) break;
    abi.fuse_entry_out.encode(writer, window.lookup(entries[i]));
    packOne(writer, entries[i], { off: i + 1, room: window.size });
  }
  return writer.finish();
}

function direntSize(name: string): number {
  return (abi.fuse_dirent.size + Buffer.byteLength(name) + 7) & ~7;
}

function packOne(writer: Writer, entry: Dirent, place: { off: number; room: number }): boolean {
  const size = direntSize(entry.name);
  if (writer.length + size > place.room) return false;
  const namelen = Buffer.byteLength(entry.name);
  const type = (entry.mode >> 12) & 0xf;
  abi.fuse_dirent.encode(writer, { ino: entry.ino, off: place.off, namelen, type });
  writer.text(entry.name);
  writer.zeros(size - abi.fuse_dirent.size - namelen);
  return true;
}
