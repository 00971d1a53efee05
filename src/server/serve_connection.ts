import {
  type Connection,
  type DeviceIoctl,
  serveDescriptor,
  type ServeOptions,
} from "../fuse/mod.ts";
import {
  type AreaFile,
  type Callers,
  type Counts,
  Device,
  KcovFilesystem,
  type NamedTarget,
  type Source,
} from "../kcov/mod.ts";
import { logger } from "../base/logger.ts";
import type { Recorder } from "../recording/recorder.ts";
import { witness } from "../recording/witness.ts";
import { isDeno } from "../base/runtime.ts";
import { writeAside } from "../base/system_calls.ts";
import type { Reporter } from "../base/reporter.ts";

export interface ConnectionOptions {
  readonly source: Source;
  readonly callers: Callers;
  readonly targets: () => readonly NamedTarget[];
  /** For files in the tree: permission bits and owner; and the path that `kcovfs/socket` points to. */
  readonly files: { mode: number; uid: number; gid: number; socket: string };
  /** Text files in `kcovfs/`. */
  readonly texts: ReadonlyMap<string, () => string | Promise<string>>;
  /** See {@linkcode ServeOptions}; without it there is no passthrough. */
  readonly ioctl: ((fd: number, call: DeviceIoctl) => number) | undefined;
  /** Called once the connection's features are known: returns the maker of area files, if areas are files. */
  readonly onInit: (connection: Connection) => (() => AreaFile) | undefined;
  /** Counts the events of all instances. */
  readonly total: Counts;
  readonly recorder: Recorder | undefined;
  readonly reporter: Reporter;
}

/** The threads of the pool that notifications may sleep in. `bin/` sizes the pool accordingly. */
const NOTIFICATION_THREADS = 10;
/** Each fault is one READ of one page: page 0 must not come into the cache unasked. */
const SIZES = { maxWrite: 256 * 1024, maxReadahead: 0 };

/** Serves the tree with the device on a connection. */
export function serveConnection(
  fd: number,
  options: ConnectionOptions,
): { connection: Connection; device: Device } {
  const { recorder, texts, total, reporter, onInit } = options;
  const seen = witness(options, recorder);
  const tree = { ...options.files, mounted: Math.floor(Date.now() / 1000) };
  const passthrough = seen.ioctl !== undefined;
  recorder?.begin({ ...tree, ...SIZES, passthrough, files: [...texts.keys()] });
  const serving: ServeOptions = {
    ...SIZES,
    notifications: NOTIFICATION_THREADS,
    ...(seen.ioctl && { ioctl: seen.ioctl }),
    ...(isDeno() && { writeAside }),
    log: logger("fuse"),
    tap: recorder,
    warn: (line) => reporter.warn(line),
  };
  let device: Device | undefined;
  const connection = serveDescriptor(fd, (connection) => {
    let files: (() => AreaFile) | undefined;
    device = makeDevice(connection, { ...seen, files: () => files, total, reporter });
    return new KcovFilesystem(device, {
      ...tree,
      files: texts,
      targets: seen.targets,
      read: () => connection.reads,
      backings: () => connection.backings,
      hasDirectMmap: () => connection.hasDirectMmap,
      onInit: () => {
        files = onInit(connection);
        recorder?.note({ direct: files !== undefined });
      },
    });
  }, serving);
  return { connection, device: device! };
}

/** A device whose pages the kernel keeps for this connection. */
function makeDevice(
  connection: Connection,
  options: ReturnType<typeof witness> & {
    files: () => (() => AreaFile) | undefined;
    total: Counts;
    reporter: Reporter;
  },
): Device {
  const { notifier } = connection;
  const { source, files, total, callers, reporter } = options;
  return new Device(source, {
    invalInode: (nodeid, range) => notifier.invalInode(nodeid, range),
    store: (nodeid, offset, data) => notifier.store(nodeid, offset, data),
    get reads() {
      return connection.reads;
    },
  }, { log: logger("kcov"), files, total, callers, reporter });
}
