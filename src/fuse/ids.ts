import type { Named } from "../base/named.ts";

/** What names a file or folder between the kernel and the filesystem, which gives it out. */
export type NodeId = Named<"NodeId">;
/** What names an open file, which the filesystem gives out. */
export type FileHandle = Named<"FileHandle">;
/** The kernel's number for a request. */
export type Unique = Named<"Unique">;

export function nodeId(value: number): NodeId {
  return value as NodeId;
}

export function fileHandle(value: number): FileHandle {
  return value as FileHandle;
}

export function unique(value: number): Unique {
  return value as Unique;
}
