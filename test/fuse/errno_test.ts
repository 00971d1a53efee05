import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, errnoName } from "../../src/fuse/errno.ts";

const errno = suite("fuse/errno");

errno("an Errno has the number of its name", () => {
  const numbers = { ENOENT: 2, EIO: 5, EINVAL: 22, ENOTTY: 25, ENOSYS: 38, EPROTO: 71 } as const;
  for (const [name, number] of Object.entries(numbers)) {
    const error = new Errno(name as keyof typeof numbers);
    assert.equal([error.errno, error.code, error.message], [number, name, name]);
    assert.is(error.name, "Errno");
    assert.instance(error, Error);
  }
});

errno("a number has a name, of two names the usual one", () => {
  const names = [1, 2, 5, 11, 22, 38, 95].map(errnoName);
  assert.equal(names, ["EPERM", "ENOENT", "EIO", "EAGAIN", "EINVAL", "ENOSYS", "ENOTSUP"]);
});

errno("a number that has no name is shown as it is", () => {
  assert.equal([524, 0, 4096].map(errnoName), ["errno 524", "errno 0", "errno 4096"]);
});

errno.run();
