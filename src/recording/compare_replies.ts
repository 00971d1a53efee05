import { constants } from "node:os";
import { type DecodedReply, type DecodedRequest, decodeReply } from "../fuse/mod.ts";
import { FIRST_INSTANCE } from "../kcov/mod.ts";

/** The result of a comparison. */
export type Verdict = "same" | "different" | "not compared";

/**
 * Compares a recorded reply with the present one, byte for byte, except for parts that do not follow from the
 * messages:
 *
 * - The data of an instance's READ are coverage: only their length is compared.
 * - The text files are about targets: their READs are not compared.
 * - Whether INTERRUPT is refused depends on when it comes.
 * - An ENOMEM was the machine's.
 */
export function compareReplies(
  request: DecodedRequest,
  replies: { recorded: Uint8Array; replayed: Uint8Array },
): Verdict {
  if (request.name === "INTERRUPT") return "not compared";
  const isRead = request.name === "READ";
  if (isRead && request.nodeid < FIRST_INSTANCE) return "not compared";
  const recorded = decodeReply(replies.recorded, request.operation);
  const replayed = decodeReply(replies.replayed, request.operation);
  if (isOutOfMemory(recorded)) return "not compared";
  if (isRead && recorded.errno === 0 && replayed.errno === 0) {
    return replies.recorded.length === replies.replayed.length ? "same" : "different";
  }
  return Buffer.compare(replies.recorded, replies.replayed) === 0 ? "same" : "different";
}

function isOutOfMemory({ output }: DecodedReply): boolean {
  return (output as { result?: number } | undefined)?.result === -constants.errno.ENOMEM;
}
