/** `fault_server.js DIR`: the same as `fault_server.c`, with `src/fuse` alone. */
import { abi, Errno, type Filesystem, type Notifier, serve } from "../src/fuse/mod.ts";
import { fileHandle, nodeId } from "../src/fuse/ids.ts";

const PAGE = new Uint8Array(4096);
const NODES: Record<string, number> = { kept: 2, dropped: 3 };
const LONG = 1e9;

function attributes(ino: number): abi.FuseAttr {
  const isRoot = ino === abi.FUSE_ROOT_ID;
  return {
    ...{ ino, size: isRoot ? 0 : PAGE.length, blocks: 0, blksize: 4096, flags: 0 },
    ...{ atime: 0, mtime: 0, ctime: 0, atimensec: 0, mtimensec: 0, ctimensec: 0 },
    ...{ mode: isRoot ? 0o40755 : 0o100600, nlink: 1, uid: 0, gid: 0, rdev: 0 },
  };
}

function filesystem(notifier: Notifier): Filesystem {
  return {
    lookup(_request, name) {
      const nodeid = NODES[name];
      if (nodeid === undefined) throw new Errno("ENOENT");
      return {
        ...{ nodeid: nodeId(nodeid), generation: 0, attr: attributes(nodeid) },
        ...{ entry_valid: LONG, entry_valid_nsec: 0, attr_valid: LONG, attr_valid_nsec: 0 },
      };
    },
    getattr: ({ nodeid }) => ({ attr_valid: LONG, attr_valid_nsec: 0, attr: attributes(nodeid) }),
    open: () => ({ fh: fileHandle(0), open_flags: abi.FOPEN_KEEP_CACHE }),
    read({ nodeid }, { offset, size }) {
      if (nodeid === NODES.dropped) {
        setImmediate(() => notifier.invalInode(nodeid, { offset: 0, length: PAGE.length }));
      }
      return PAGE.subarray(offset, offset + size);
    },
  };
}

const options = { subtype: "fault_server", maxReadahead: 0, maxWrite: 256 * 1024 };
const mount = await serve(process.argv[2], ({ notifier }) => filesystem(notifier), options);
process.stdout.write("mounted\n");
await mount.ended;
