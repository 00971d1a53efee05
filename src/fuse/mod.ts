/**
 * The kernel's FUSE protocol in TypeScript, over `/dev/fuse`, without native code.
 *
 * A {@linkcode Filesystem} is a set of methods; {@linkcode serve} mounts one. {@linkcode Session} is the
 * protocol alone, bytes in and bytes out, for tests and for other transports.
 *
 * @example
 * ```ts
 * import { abi, Errno, serve } from "./mod.ts";
 *
 * await using mount = await serve("/mnt/hello", {
 *   getattr: () => ({ attr_valid: 60, attr_valid_nsec: 0, attr: rootAttributes }),
 *   lookup() { throw new Errno("ENOENT"); },
 * }, { subtype: "hello" });
 * await mount.ended;
 * ```
 */
export * as abi from "./abi.ts";
export { Backings, type DeviceIoctl } from "./backings.ts";
export {
  type DecodedReply,
  type DecodedRequest,
  decodeReply,
  decodeRequest,
} from "./decode_message.ts";
export { type Dirent, packDirents, packDirentsPlus } from "./dirents.ts";
export { Errno, type ErrnoName } from "./errno.ts";
export { type FileHandle, fileHandle, type NodeId, nodeId, type Unique, unique } from "./ids.ts";
export { formatNotification, formatNotified, formatReply, formatRequest } from "./format.ts";
export {
  checkRoot,
  isMounted,
  mountArguments,
  MountError,
  mountFuse,
  type MountOptions,
  openFuseDevice,
  unmountFuse,
} from "./mount.ts";
export { type MountEntry, parseMountTable, readMountTable } from "./mount_table.ts";
export { Notifier } from "./notifier.ts";
export type { Filesystem, IoctlOut, Request } from "./operations.ts";
export {
  type Connection,
  type FuseMount,
  serve,
  serveDescriptor,
  type ServeOptions,
} from "./serve.ts";
export { type Log, Session, type SessionOptions } from "./session.ts";
export { type Tap } from "./tap.ts";
