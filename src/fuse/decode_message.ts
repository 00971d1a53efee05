import * as abi from "./abi.ts";
import { type Operation, OPERATION_BY_OPCODE } from "./operations.ts";
import { Reader, WireError } from "./wire.ts";
import type { NodeId, Unique } from "./ids.ts";

/** A request in a form that can be shown. */
export interface DecodedRequest {
  readonly unique: Unique;
  readonly nodeid: NodeId;
  readonly pid: number;
  /** As in `FUSE_OPCODE`, or `opcode 99`. */
  readonly name: string;
  /** Undefined if it has none, or is malformed. */
  readonly input: unknown;
  /** The layout of its reply; undefined for an opcode that has no name here. */
  readonly operation: Operation | undefined;
}

/** A reply in a form that can be shown. */
export interface DecodedReply {
  readonly unique: Unique;
  /** 0, or the errno with which the request was refused. */
  readonly errno: number;
  /** Undefined if it has none, or is malformed. */
  readonly output: unknown;
}

/** @throws {WireError} if there is not even a header. */
export function decodeRequest(bytes: Uint8Array): DecodedRequest {
  const reader = new Reader(bytes);
  const { unique, nodeid, pid, opcode } = abi.fuse_in_header.decode(reader);
  const operation = OPERATION_BY_OPCODE.get(opcode);
  const name = operation?.name ?? `opcode ${opcode}`;
  const input = operation && orNothing(() => operation.input.decode(reader));
  return { unique, nodeid, pid, name, input, operation };
}

/**
 * @param operation The request's operation; undefined if not known.
 * @throws {WireError} if there is not even a header.
 */
export function decodeReply(bytes: Uint8Array, operation: Operation | undefined): DecodedReply {
  const reader = new Reader(bytes);
  const { unique, error } = abi.fuse_out_header.decode(reader);
  const output = error === 0 && operation
    ? orNothing(() => operation.output.decode(reader) as unknown)
    : undefined;
  return { unique, errno: -error, output };
}

function orNothing<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
