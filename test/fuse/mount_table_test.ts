import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseMountTable, readMountTable } from "../../src/fuse/mount_table.ts";

const table = suite("fuse/mount_table");

// proc_pid_mountinfo(5) has the first of these.
const LINES = [
  "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
  "21 1 0:20 / /proc rw shared:2 master:3 propagate_from:4 - proc proc rw",
  "44 1 0:41 / /sys/kernel/debug rw,nosuid - fuse.kcovfs kcovfs rw,user_id=0,group_id=0",
];

table("a line gives the mount point, the type with its subtype, the source and the device", () => {
  assert.equal(parseMountTable(`${LINES.join("\n")}\n`), [
    { mountPoint: "/mnt2", type: "ext3", source: "/dev/root", minor: 0 },
    { mountPoint: "/proc", type: "proc", source: "proc", minor: 20 },
    {
      mountPoint: "/sys/kernel/debug",
      type: "fuse.kcovfs",
      source: "kcovfs",
      minor: 41,
    },
  ]);
});

table("spaces, tabs, line breaks and backslashes in paths are unescaped", () => {
  const [entry] = parseMountTable(
    "44 1 0:41 / /a\\040b\\011c\\012d\\134e\\134040f rw - fuse.kcovfs my\\040source rw",
  );
  assert.is(entry.mountPoint, "/a b\tc\nd\\e\\040f");
  assert.is(entry.source, "my source");
});

table("a mount point that has ' - ' in its name is not taken for the separator", () => {
  const [entry] = parseMountTable("44 1 0:41 / /a\\040-\\040b rw - tmpfs none rw");
  assert.equal(entry, { mountPoint: "/a - b", type: "tmpfs", source: "none", minor: 41 });
});

table("letters beyond ASCII stay as they are", () => {
  assert.is(parseMountTable("44 1 0:41 / /größe rw - tmpfs none rw")[0].mountPoint, "/größe");
});

table("lines of another form are left out", () => {
  const text = ["", "garbage", "1 2 3:4 / /x rw", "1 2 3 - tmpfs none", LINES[0], " - ", "- - -"];
  assert.equal(parseMountTable(text.join("\n")).map(({ mountPoint }) => mountPoint), ["/mnt2"]);
});

table("this process's own table has its root and /proc", async () => {
  const entries = await readMountTable();
  assert.ok(entries.some(({ mountPoint }) => mountPoint === "/"));
  assert.ok(entries.some(({ mountPoint, type }) => mountPoint === "/proc" && type === "proc"));
});

table.run();
