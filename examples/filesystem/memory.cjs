"use strict";

/**
 * A filesystem in memory, built with fuse-native, to be fuzzed: `node memory.cjs DIRECTORY` mounts it
 * there. It does not know kcov.
 *
 * It is one folder of files. A file may have a policy, its attribute `user.policy`. `r`: it cannot be
 * written. `q` and a digit: it has at most so many blocks of 16 bytes. `k` and a name: when another
 * file replaces it, it is kept under that name.
 */

const Fuse = require("fuse-native");

const BLOCK = 16;
const ATTRIBUTE = "user.policy";
const NONE = { text: "", isReadOnly: false, quota: Infinity, kept: undefined };
const ROOT = { mode: 0o40755, size: 4096 };

/** An operation is refused. */
class Refusal extends Error {
  constructor(code) {
    super(code);
    this.errno = Fuse[code];
  }
}

function parsePolicy(text) {
  const policy = { ...NONE, text };
  const rest = text.slice(1);
  switch (text[0]) {
    case "r":
      policy.isReadOnly = true;
      return policy;
    case "q":
      if (!/^\d$/.test(rest)) throw new Refusal("EINVAL");
      policy.quota = Number(rest) * BLOCK;
      return policy;
    case "k":
      if (!/^[a-z]$/.test(rest)) throw new Refusal("EINVAL");
      policy.kept = rest;
      return policy;
  }
  throw new Refusal("EINVAL");
}

class File {
  bytes = Buffer.alloc(0);
  policy = NONE;

  resize(size) {
    if (this.policy.isReadOnly) throw new Refusal("EPERM");
    if (size > this.policy.quota) throw new Refusal("EDQUOT");
    const bytes = Buffer.alloc(size);
    this.bytes.copy(bytes);
    this.bytes = bytes;
  }

  write(data, offset) {
    this.resize(Math.max(this.bytes.length, offset + data.length));
    return data.copy(this.bytes, offset);
  }
}

const files = new Map();

function find(path) {
  const file = files.get(path.slice(1));
  if (!file) throw new Refusal("ENOENT");
  return file;
}

/** Puts a file where another may be. */
function put(name, file) {
  const replaced = files.get(name);
  if (replaced) {
    const { kept } = replaced.policy;
    // The bug: a file may be kept under its own name.
    if (kept) put(kept, replaced);
  }
  files.set(name, file);
}

function rename(from, to) {
  const file = find(from);
  if (file === files.get(to.slice(1))) return;
  files.delete(from.slice(1));
  put(to.slice(1), file);
}

/** The operations without callbacks; they return a number or the result. */
const operations = {
  getattr: (path) => path === "/" ? ROOT : { mode: 0o100600, size: find(path).bytes.length },
  readdir: () => [...files.keys()],
  create: (path) => void files.set(path.slice(1), new File()),
  open: (path) => void find(path),
  read: (path, _fd, buffer, size, offset) =>
    find(path).bytes.copy(buffer, 0, offset, offset + size),
  write: (path, _fd, buffer, size, offset) => find(path).write(buffer.subarray(0, size), offset),
  truncate: (path, size) => find(path).resize(size),
  unlink: (path) => void (find(path) && files.delete(path.slice(1))),
  rename,
  setxattr(path, name, value) {
    if (name !== ATTRIBUTE) throw new Refusal("EOPNOTSUPP");
    find(path).policy = parsePolicy(value.toString("latin1"));
  },
  getxattr(path, name) {
    const { text } = find(path).policy;
    if (name !== ATTRIBUTE || text === "") throw new Refusal("ENODATA");
    return Buffer.from(text, "latin1");
  },
};

/** As fuse-native calls them. Any error but a refusal is the filesystem's own: EIO. */
function withCallback(operation) {
  return (...args) => {
    const reply = args.pop();
    let result;
    try {
      result = operation(...args);
    } catch (error) {
      if (error instanceof Refusal) return reply(error.errno);
      process.stderr.write(`${error.stack}\n`);
      return reply(Fuse.EIO);
    }
    reply(typeof result === "number" ? result : 0, result);
  };
}

const fuse = new Fuse(
  process.argv[2],
  Object.fromEntries(
    Object.entries(operations).map(([name, operation]) => [name, withCallback(operation)]),
  ),
  // Linux must cache nothing, so that the same calls execute the same code.
  { timeout: false, entryTimeout: "0", attrTimeout: "0" },
);
fuse.open((error) => {
  if (error) throw error;
  process.stdout.write("mounted\n");
});
