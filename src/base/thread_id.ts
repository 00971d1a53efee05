import type { Named } from "./named.ts";

/** The kernel's number of a thread, in this process's pid namespace. */
export type ThreadId = Named<"ThreadId">;

export function threadId(value: number): ThreadId {
  return value as ThreadId;
}
