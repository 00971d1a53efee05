import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FakeKernel } from "./fake_kernel.ts";
import { fromHex, join } from "./hex.ts";
import { EXCHANGES } from "./messages.ts";

const init = suite("fuse/session, INIT");

interface Offer {
  major?: number;
  minor?: number;
  readahead?: number;
  flags?: number;
  flags2?: number;
  /** Bytes of `fuse_init_in`: 16 up to 7.35, 64 from 7.36 on. */
  size?: number;
}

/** An INIT by the numbers. */
function offer(options: Offer): Uint8Array {
  const { major = 7, minor = 45, readahead = 0x20000, flags = 0, size = 64 } = options;
  const { flags2 = 0 } = options;
  const message = new Uint8Array(40 + size);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint32(4, 26, true);
  view.setUint32(8, 1, true);
  [major, minor, readahead, flags].forEach((n, i) => view.setUint32(40 + 4 * i, n, true));
  if (size > 16) view.setUint32(56, flags2, true);
  return message;
}

/** The answer's fields by their places in `fuse_init_out`. */
function answer(kernel: FakeKernel) {
  const [reply, ...more] = kernel.take();
  assert.equal(more, []);
  const bytes = fromHex(reply);
  const view = new DataView(bytes.buffer);
  return {
    ...{ len: view.getUint32(0, true), error: view.getInt32(4, true) },
    ...(bytes.length > 16 && {
      major: view.getUint32(16, true),
      minor: view.getUint32(20, true),
      readahead: view.getUint32(24, true),
      flags: view.getUint32(28, true),
      maxWrite: view.getUint32(36, true),
      maxPages: view.getUint16(44, true),
      flags2: view.getUint32(48, true),
      stackDepth: view.getUint32(52, true),
    }),
  };
}

const ACCESS = EXCHANGES.find(({ name }) => name === "ACCESS")!.request;

init("each minor version from 7.31 to 7.45 is spoken as the kernel does", () => {
  for (let minor = 31; minor <= 45; minor++) {
    const kernel = new FakeKernel({ access() {} });
    assert.is(kernel.session.minor, 0);
    kernel.send(offer({ minor, size: minor < 36 ? 16 : 64 }));
    const { len, error, ...rest } = answer(kernel);
    assert.equal([len, error, rest.major, rest.minor], [80, 0, 7, minor]);
    assert.is(kernel.session.minor, minor);
    kernel.send(ACCESS);
    assert.is(kernel.take().length, 1);
    assert.equal(kernel.warnings, []);
  }
});

init("a kernel newer than 7.45 is spoken to in 7.45", () => {
  for (const minor of [46, 99]) {
    const kernel = new FakeKernel({});
    kernel.send(offer({ minor }));
    assert.is(answer(kernel).minor, 45);
    assert.is(kernel.session.minor, 45);
  }
});

init("a kernel older than 7.31 is refused with EPROTO, and told of", () => {
  for (const [major, minor] of [[7, 30], [7, 0], [6, 99], [0, 45]]) {
    const kernel = new FakeKernel({ access() {} });
    kernel.send(offer({ major, minor, size: 16 }));
    assert.equal(answer(kernel), { len: 16, error: -71 });
    assert.is(kernel.session.minor, 0);
    assert.equal(kernel.warnings, [
      `Cannot serve FUSE ${major}.${minor}: 7.31 (Linux 5.4) is the oldest that is supported`,
    ]);
  }
});

init("a newer major version is answered with 7, after which the kernel begins again", () => {
  const kernel = new FakeKernel({ access() {} });
  kernel.send(offer({ major: 8, minor: 2 }));
  const { error, major } = answer(kernel);
  assert.equal([error, major, kernel.session.minor], [0, 7, 0]);
  kernel.send(ACCESS);
  assert.equal(kernel.take(), [join("10000000 fbffffff 0200000000000000")], "not yet negotiated");
  kernel.send(offer({}));
  assert.is(answer(kernel).minor, 45);
  kernel.send(ACCESS);
  assert.equal(kernel.take(), [join("10000000 00000000 0200000000000000")]);
});

init("nothing is served before INIT: it is EIO, and the filesystem does not hear of it", () => {
  let calls = 0;
  const kernel = new FakeKernel({ access: () => void calls++ });
  kernel.send(ACCESS);
  assert.equal(kernel.take(), [join("10000000 fbffffff 0200000000000000")]);
  assert.is(calls, 0);
});

init("no flag is taken that the kernel did not offer, and none that is not wanted", () => {
  // Bits 3, 5, 13, 14, 18, 21, 22, 23 and 25: see `FUSE_*` in the header.
  const wanted = [3, 5, 13, 14, 18, 21, 22, 23, 25];
  for (let bit = 0; bit < 32; bit++) {
    const kernel = new FakeKernel({ readdirplus: () => new Uint8Array() });
    kernel.send(offer({ flags: (1 << bit) >>> 0 }));
    assert.is(answer(kernel).flags, wanted.includes(bit) ? 1 << bit : 0, `bit ${bit}`);
  }
});

/** FUSE_INIT_EXT; without it, `flags2` means nothing. */
const EXT = 1 << 30;

/** The result of an offer where passthrough is wanted. */
function negotiate(offered: Offer, passthrough = true) {
  const kernel = new FakeKernel({}, { passthrough });
  kernel.send(offer(offered));
  const { flags, flags2, stackDepth } = answer(kernel);
  const { hasPassthrough: granted, hasDirectMmap: mapped } = kernel.session;
  return { flags, flags2, stackDepth, granted, mapped };
}

const NOT_GRANTED = { flags: 0, flags2: 0, stackDepth: 0, granted: false, mapped: false };
const MAPPED = { ...NOT_GRANTED, flags: EXT, flags2: 0x10, mapped: true };

init("passthrough is granted where it is wanted and the kernel offers it", () => {
  const granted = { flags: EXT, flags2: 0x20, stackDepth: 1, granted: true, mapped: false };
  assert.equal(negotiate({ flags: EXT, flags2: 0x20 }), granted);
  assert.equal(negotiate({ flags: EXT, flags2: 0x20 }, false), NOT_GRANTED);
  const both = { ...granted, flags2: 0x30, mapped: true };
  assert.equal(negotiate({ flags: EXT, flags2: 0xffffffff }), both);
  assert.equal(negotiate({ flags: EXT, flags2: 0xffffffff }, false), MAPPED);
  assert.equal(negotiate({ flags: EXT, flags2: 0xffffffcf }), NOT_GRANTED);
});

init("files that bypass the cache can be mapped where the kernel offers it", () => {
  assert.equal(negotiate({ flags: EXT, flags2: 0x10 }, false), MAPPED);
  assert.equal(negotiate({ flags2: 0x10 }, false), NOT_GRANTED);
});

init("a kernel whose INIT has no second flags, or does not use them, is not asked for more", () => {
  assert.equal(negotiate({ minor: 35, size: 16 }), NOT_GRANTED);
  assert.equal(negotiate({ minor: 36, size: 64, flags: EXT }), NOT_GRANTED);
  // Without FUSE_INIT_EXT these bytes are not flags.
  assert.equal(negotiate({ flags2: 0x20 }), NOT_GRANTED);
});

init("an INIT that ends where it says that flags follow is EIO", () => {
  const kernel = new FakeKernel({}, { passthrough: true });
  kernel.send(offer({ flags: EXT, size: 16 }));
  assert.equal(answer(kernel), { len: 16, error: -5 });
  assert.is(kernel.session.minor, 0);
  assert.is(kernel.warnings.length, 1);
});

init("passthrough is asked for in these bytes, and granted by none before them", () => {
  const kernel = new FakeKernel({}, { passthrough: true });
  assert.not.ok(kernel.session.hasPassthrough);
  kernel.send(
    "68000000 1a000000 0100000000000000 0000000000000000 00000000 00000000 00000000 0000 0000" +
      `07000000 2d000000 00001000 00000040 20000000 ${"00".repeat(44)}`,
  );
  assert.equal(kernel.take(), [join(
    "50000000 00000000 0100000000000000 07000000 2d000000 00000200 00000040 4000 3000" +
      `00001000 01000000 0001 0000 20000000 01000000 ${"00".repeat(24)}`,
  )]);
  assert.ok(kernel.session.hasPassthrough);
});

init(
  "READDIRPLUS is not taken for a filesystem that has none: nobody would ask for READDIR",
  () => {
    const kernel = new FakeKernel({ readdir: () => new Uint8Array() });
    kernel.send(offer({ flags: 1 << 13 | 1 << 14 | 1 << 5 }));
    assert.is(answer(kernel).flags, 1 << 5);
  },
);

init("the readahead is the smaller of the kernel's and ours", () => {
  const readahead = (kernels: number, ours?: number) => {
    const kernel = new FakeKernel({}, ours === undefined ? {} : { maxReadahead: ours });
    kernel.send(offer({ readahead: kernels }));
    return answer(kernel).readahead;
  };
  assert.equal([readahead(0x20000, 0), readahead(4096, 8192)], [0, 4096]);
  // 128 KiB unless we say otherwise.
  assert.equal([readahead(4096), readahead(1 << 30)], [4096, 131072]);
});

init("the largest write is the one asked for, in bytes and in whole pages", () => {
  for (const [maxWrite, pages] of [[4096, 1], [4097, 2], [256 * 1024, 64]]) {
    const kernel = new FakeKernel({}, { maxWrite });
    kernel.send(offer({}));
    const { maxWrite: written, maxPages } = answer(kernel);
    assert.equal([written, maxPages], [maxWrite, pages]);
  }
  const kernel = new FakeKernel({});
  kernel.send(offer({}));
  assert.equal([answer(kernel).maxWrite], [1024 * 1024]);
});

init.run();
