import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { abi } from "../../src/fuse/mod.ts";
import { type Struct, Writer } from "../../src/fuse/wire.ts";

const layout = suite("fuse/abi");

/** Bytes of each structure, counted in the header of Linux 6.18. */
const SIZES: Record<string, number> = {
  ...{ fuse_in_header: 40, fuse_out_header: 16, fuse_attr: 88, fuse_entry_out: 128 },
  ...{ fuse_attr_out: 104, fuse_forget_in: 8, fuse_forget_one: 16, fuse_batch_forget_in: 8 },
  ...{ fuse_getattr_in: 16, fuse_setattr_in: 88, fuse_open_in: 8, fuse_open_out: 16 },
  ...{ fuse_release_in: 24, fuse_flush_in: 24, fuse_read_in: 40, fuse_write_in: 40 },
  ...{ fuse_write_out: 8, fuse_statfs_out: 80, fuse_fsync_in: 16, fuse_access_in: 8 },
  // The sizes until 7.35.
  ...{ fuse_interrupt_in: 8, fuse_init_in: 16, fuse_init_out: 64, fuse_ioctl_in: 32 },
  ...{ fuse_ioctl_out: 16, fuse_dirent: 24, fuse_notify_inval_inode_out: 24 },
  ...{ fuse_notify_inval_entry_out: 16, fuse_notify_store_out: 24, fuse_backing_map: 16 },
};

function isStruct(value: unknown): value is Struct<object> {
  return typeof value === "object" && value !== null && "decode" in value;
}

const STRUCTS = Object.values(abi).filter(isStruct) as Struct<object>[];

layout("each structure has the size that the header gives it", () => {
  assert.equal(Object.fromEntries(STRUCTS.map(({ name, size }) => [name, size])), SIZES);
});

layout("each structure is exported under its own name", () => {
  for (const [name, value] of Object.entries(abi)) {
    if (isStruct(value)) assert.is(value.name, name);
  }
});

/** A value with all fields 0, but for one, which is 1. */
function unitValue(struct: Struct<object>, field: string): Record<string, unknown> {
  const zero = struct.decode(zeroReader());
  const value = (zero as Record<string, unknown>)[field];
  return { ...zero, [field]: typeof value === "bigint" ? 1n : 1 };
}

function zeroReader() {
  const zero = () => 0;
  const nested = { u16: zero, u32: zero, i32: zero, u53: zero, u64: () => 0n, skip() {} };
  return nested as unknown as Parameters<Struct<object>["decode"]>[0];
}

/** The offset at which our encoder writes a field: the first byte that is not 0 when the field is 1. */
function offsetOf(struct: Struct<object>, field: string): number {
  const writer = new Writer();
  struct.encode(writer, unitValue(struct, field));
  return writer.finish().indexOf(1);
}

/** The fields that hold numbers. */
function fieldsOf(struct: Struct<object>): string[] {
  const zero = struct.decode(zeroReader());
  return Object.entries(zero).filter(([, value]) => typeof value !== "object")
    .map(([name]) => name);
}

/** The structure's and the field's names in C. */
function inC(struct: Struct<object>, field: string): string {
  const nested = struct === abi.fuse_statfs_out ? "st." : "";
  return `struct ${struct.name}, ${nested}${field}`;
}

/** Structures and fields that older headers lack, with the minor version that brought them. */
const NEWER: Record<string, number> = {
  "fuse_in_header.total_extlen": 38,
  "fuse_init_out.flags2": 36,
  "fuse_init_out.max_stack_depth": 40,
  "fuse_open_out.backing_id": 40,
  ...{ fuse_backing_map: 40, "fuse_backing_map.fd": 40, "fuse_backing_map.flags": 40 },
  ...{ FUSE_INIT_EXT: 36, FUSE_DIRECT_IO_ALLOW_MMAP: 39, FUSE_PASSTHROUGH: 40 },
  FOPEN_PASSTHROUGH: 40,
  ...{ FUSE_DEV_IOC_BACKING_OPEN: 40, FUSE_DEV_IOC_BACKING_CLOSE: 40 },
};

/** Lines of C that a header of the right version compiles. */
function guarded(name: string, line: string): string[] {
  const minor = NEWER[name];
  return minor ? [`#if FUSE_KERNEL_MINOR_VERSION >= ${minor}`, line, "#endif"] : [line];
}

function cProgram(): string {
  const lines: string[] = [];
  for (const struct of STRUCTS) {
    // 7.36 made it longer; we read only its beginning.
    if (struct !== abi.fuse_init_in) {
      const line = `printf("${struct.name} %zu\\n", sizeof(struct ${struct.name}));`;
      lines.push(...guarded(struct.name, line));
    }
    for (const field of fieldsOf(struct)) {
      const name = `${struct.name}.${field}`;
      const line = `printf("${name} %zu\\n", offsetof(${inC(struct, field)}));`;
      lines.push(...guarded(name, line));
    }
  }
  for (const [prefix, values] of constants()) {
    for (const name of Object.keys(values)) {
      const line = `printf("${prefix}${name} %lld\\n", (long long)(${prefix}${name}));`;
      lines.push(...guarded(prefix + name, line));
    }
  }
  const includes = ["stddef.h", "stdio.h", "linux/fuse.h"].map((file) => `#include <${file}>`);
  return [...includes, "int main(void) {", ...lines, "return 0; }", ""].join("\n");
}

/** The numbers that we name, by their prefix in the header. */
function constants(): [string, Record<string, number>][] {
  const ours = ["FUSE_KERNEL_MINOR_VERSION", "FUSE_OLDEST_MINOR_VERSION"];
  const plain = Object.entries(abi).filter(([name, value]) =>
    typeof value === "number" && !ours.includes(name)
  ) as [string, number][];
  return [
    ["", Object.fromEntries(plain)],
    ["FUSE_", abi.FUSE_OPCODE],
    ["FUSE_NOTIFY_", abi.FUSE_NOTIFY],
  ];
}

/** The sizes, offsets and numbers of `linux/fuse.h` by name, from the C compiler. */
function compiled(): Map<string, number> {
  const folder = mkdtempSync(path.join(tmpdir(), "kcovfs-abi-"));
  try {
    const program = path.join(folder, "abi");
    const built = spawnSync("cc", [
      "-x",
      "c",
      "-Wall",
      "-Werror",
      "-o",
      program,
      "-",
    ], { input: cProgram(), encoding: "utf8" });
    assert.is(built.status, 0, built.error?.message ?? built.stderr);
    const { stdout } = spawnSync(program, { encoding: "utf8" });
    const lines = stdout.trim().split("\n").map((line) => line.split(" "));
    return new Map(lines.map(([name, value]) => [name, Number(value)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

layout("what passthrough brought is as the header has it since 7.40", () => {
  assert.is(abi.FUSE_PASSTHROUGH, 0x20_0000_0000);
  assert.is(abi.FOPEN_PASSTHROUGH, 0x80);
  // _IOW(229, 1, 16 bytes) and _IOW(229, 2, 4 bytes)
  assert.is(abi.FUSE_DEV_IOC_BACKING_OPEN, 1 << 30 | 16 << 16 | 229 << 8 | 1);
  assert.is(abi.FUSE_DEV_IOC_BACKING_CLOSE, 1 << 30 | 4 << 16 | 229 << 8 | 2);
  assert.equal(
    [[abi.fuse_init_out, "flags2"], [abi.fuse_init_out, "max_stack_depth"]].map(([struct, field]) =>
      offsetOf(struct as Struct<object>, field as string)
    ),
    [32, 36],
  );
  assert.is(offsetOf(abi.fuse_open_out, "backing_id"), 12);
});

layout("this machine's <linux/fuse.h> agrees on each size, offset and number", () => {
  const header = compiled();
  const isMissing = (name: string) => !header.has(name) && NEWER[name] !== undefined;
  let offsets = 0;
  for (const struct of STRUCTS) {
    if (struct !== abi.fuse_init_in && !isMissing(struct.name)) {
      assert.is(header.get(struct.name), struct.size, struct.name);
    }
    for (const field of fieldsOf(struct)) {
      const name = `${struct.name}.${field}`;
      if (isMissing(name)) continue;
      assert.is(header.get(name), offsetOf(struct, field), name);
      offsets++;
    }
  }
  for (const [prefix, values] of constants()) {
    for (const [name, value] of Object.entries(values)) {
      if (isMissing(prefix + name)) continue;
      assert.is(header.get(prefix + name), value, prefix + name);
    }
  }
  assert.ok(offsets > 100, `${offsets} offsets were compared`);
});

layout.run();
