"use strict";

/**
 * `fault_server.cjs DIR`: the same as `fault_server.c`, with fuse-native. That cannot drop pages, so its one
 * file is `kept`.
 */

const Fuse = require("fuse-native");

const PAGE = Buffer.alloc(4096);
const TIMES = { mtime: new Date(0), atime: new Date(0), ctime: new Date(0) };
const DIRECTORY = { ...TIMES, mode: 0o40755, size: 0, nlink: 1, uid: 0, gid: 0 };
const FILE = { ...TIMES, mode: 0o100600, size: PAGE.length, nlink: 1, uid: 0, gid: 0 };

const operations = {
  getattr(path, reply) {
    if (path === "/") reply(0, DIRECTORY);
    else if (path === "/kept") reply(0, FILE);
    else reply(Fuse.ENOENT);
  },
  open: (_path, _flags, reply) => reply(0, 1),
  read: (_path, _fd, buffer, size, offset, reply) =>
    reply(PAGE.copy(buffer, 0, offset, offset + size)),
};
const fuse = new Fuse(process.argv[2], operations, { timeout: false, kernelCache: true });
fuse.open((error) => {
  if (error) throw error;
  process.stdout.write("mounted\n");
});
