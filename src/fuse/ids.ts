import type { Named } from "../base/named.ts";

/** Names a file or folder between the kernel and the filesystem; the filesystem gives it out. */
export type NodeId = Named<"NodeId">;
/** Names an open file; the filesystem gives it out. */
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
