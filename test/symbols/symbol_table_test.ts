import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blockNumber, BLOCKS, preferredBase } from "../../src/symbols/pc_space.ts";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";

const symbols = suite("symbols/symbol_table");

let folder = "";
let file = "";
symbols.before.each(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), "kcovfs-symbols-"));
  file = path.join(folder, "symbols");
});
symbols.after.each(() => fs.rmSync(folder, { recursive: true }));

/** A script of so many blocks; block `i` stands at line `i + 1`, columns 2 to 3. */
function script(url: string, count: number, hash = "aa") {
  const positions = new Uint32Array(4 * count);
  for (let i = 0; i < count; i++) positions.set([i + 1, 2, i + 1, 3], 4 * i);
  return { url, hash, positions, files: [] as string[], fileOf: new Uint32Array(count) };
}

/** A line of the file, written by hand. */
function line(base: number | string, count: number | string, url: string, positions = "1.1,1.2") {
  return `kcovfs1\t${base}\t${count}\taa\t${JSON.stringify(url)}\t${positions}\n`;
}

function withTable<T>(work: (table: SymbolTable) => T): T {
  using table = SymbolTable.open(file);
  return work(table);
}

symbols("a table begins empty, with folders as needed", () => {
  file = path.join(folder, "a/b/symbols");
  withTable((table) => {
    assert.equal([table.segments.length, table.damaged], [0, 0]);
    assert.is(table.locate(blockNumber(0)), undefined);
    assert.is(table.find({ url: "x", hash: "aa" }), undefined);
  });
  assert.is(fs.readFileSync(file, "utf8"), "");
});

symbols("a script gets a line, which says all there is to say", () => {
  const { base } = withTable((table) => table.add(script("file:///a.js", 2, "00ff")));
  assert.is(
    fs.readFileSync(file, "utf8"),
    `kcovfs1\t${base}\t2\t00ff\t"file:///a.js"\t1.2,1.3 2.2,2.3\n`,
  );
  assert.is(base, preferredBase({ url: "file:///a.js", hash: "00ff", count: 2 }));
});

symbols("PCs outlive the table that gave them", () => {
  const bases = withTable((table) =>
    ["a", "b", "c"].map((url, i) => table.add(script(url, i + 1)).base)
  );
  withTable((table) => {
    assert.equal(["a", "b", "c"].map((url) => table.find({ url, hash: "aa" })?.base), bases);
    assert.equal(["a", "b", "c"].map((url, i) => table.add(script(url, i + 1)).base), bases);
    const ascending = table.segments.map(({ base }) => base);
    assert.equal(ascending, [...bases].sort((a, b) => a - b));
    assert.equal(table.positions(table.find({ url: "c", hash: "aa" })!), [
      { url: "c", range: "1.2,1.3", isOriginal: false },
      { url: "c", range: "2.2,2.3", isOriginal: false },
      { url: "c", range: "3.2,3.3", isOriginal: false },
    ]);
  });
  assert.is(fs.readFileSync(file, "utf8").split("\n").length, 4, "a script has one line");
});

symbols("another source under the same URL is another script", () => {
  withTable((table) => {
    const one = table.add(script("a", 3, "aa"));
    const other = table.add(script("a", 3, "bb"));
    assert.is.not(one.base, other.base);
    assert.is(table.segments.length, 2);
  });
});

symbols("blocks are located at both ends of a segment and nowhere outside", () => {
  fs.writeFileSync(file, line(10, 3, "a", "1.1,1.2 2.1,2.2 3.1,3.2") + line(13, 1, "b", "7.1,7.2"));
  withTable((table) => {
    const at = (block: number) => {
      const found = table.locate(blockNumber(block));
      return found && `${found.url} ${found.range}`;
    };
    assert.equal([9, 10, 11, 12, 13, 14, 0, BLOCKS - 1].map(at), [
      undefined,
      ...["a 1.1,1.2", "a 2.1,2.2", "a 3.1,3.2", "b 7.1,7.2"],
      ...[undefined, undefined, undefined],
    ]);
  });
});

symbols("URLs may hold anything", () => {
  const urls = ["", "a\tb", "a\nb", "a\r\nb", '"', "\\", '\\"\t', "größe/😀", "\ud800", "\u2028"];
  urls.push("x".repeat(100_000), "\0", "kcovfs1\t1\t1\taa\t", "1.1,1.2 1.1,1.2");
  withTable((table) => {
    for (const url of urls) table.add(script(url, 2));
  });
  withTable((table) => {
    assert.is(table.damaged, 0);
    assert.is(table.segments.length, urls.length);
    for (const url of urls) {
      const { base } = table.find({ url, hash: "aa" })!;
      assert.equal(table.locate(blockNumber(base + 1)), {
        url,
        range: "2.2,2.3",
        isOriginal: false,
      });
    }
  });
});

symbols("a script that was made from others says where each block stands", () => {
  const files = ["webpack://x/unused.ts", "file:///src/b\tc.ts", "file:///src/a.ts"];
  const made = { ...script("file:///dist/a.js", 4), files, fileOf: Uint32Array.of(0, 3, 2, 3) };
  const { base } = withTable((table) => table.add(made));
  assert.is(
    fs.readFileSync(file, "utf8"),
    `kcovfs2\t${base}\t4\taa\t"file:///dist/a.js"\t["file:///src/a.ts","file:///src/b\\tc.ts"]\t` +
      "1.2,1.3 1:2.2,2.3 2:3.2,3.3 1:4.2,4.3\n",
  );
  withTable((table) => {
    assert.equal(table.positions(table.segments[0]), [
      { url: "file:///dist/a.js", range: "1.2,1.3", isOriginal: false },
      { url: "file:///src/a.ts", range: "2.2,2.3", isOriginal: true },
      { url: "file:///src/b\tc.ts", range: "3.2,3.3", isOriginal: true },
      { url: "file:///src/a.ts", range: "4.2,4.3", isOriginal: true },
    ]);
    assert.equal(table.locate(blockNumber(base + 2)), {
      url: "file:///src/b\tc.ts",
      range: "3.2,3.3",
      isOriginal: true,
    });
    assert.is(table.add(script("file:///dist/a.js", 4)).base, base, "its PCs are not the map's");
  });
});

symbols("lines of both kinds are read from one file", () => {
  const mapped = 'kcovfs2\t20\t1\taa\t"b"\t["c"]\t1:4.4,5.5\n';
  fs.writeFileSync(file, line(10, 1, "a") + mapped + line(30, 1, "d"));
  withTable((table) => {
    assert.is(table.damaged, 0);
    assert.equal(table.locate(blockNumber(10)), { url: "a", range: "1.1,1.2", isOriginal: false });
    assert.equal(table.locate(blockNumber(20)), { url: "c", range: "4.4,5.5", isOriginal: true });
    assert.equal(table.locate(blockNumber(30)), { url: "d", range: "1.1,1.2", isOriginal: false });
  });
});

symbols("a line that lacks files or places costs only those", () => {
  fs.writeFileSync(file, 'kcovfs2\t20\t3\taa\t"b"\t["c"]\t7:4.4,5.5 1:6.6,7.7\n');
  withTable((table) => {
    assert.equal(table.positions(table.segments[0]), [
      { url: "b", range: "4.4,5.5", isOriginal: false },
      { url: "c", range: "6.6,7.7", isOriginal: true },
      { url: "b", range: "1.1,1.1", isOriginal: false },
    ]);
  });
});

symbols("a collision moves on to the next free place, and stays there", () => {
  const preferred = preferredBase({ url: "a", hash: "aa", count: 5 });
  fs.writeFileSync(file, line(preferred + 2, 3, "other") + line(preferred + 8, 1, "third"));
  const { base } = withTable((table) => table.add(script("a", 5)));
  assert.is(base, preferred + 9);
  assert.is(withTable((table) => table.add(script("a", 5)).base), preferred + 9);
});

symbols("at the end of the PC space it goes around to the beginning", () => {
  const preferred = preferredBase({ url: "a", hash: "aa", count: 5 });
  fs.writeFileSync(file, line(0, 7, "first") + line(preferred, BLOCKS - preferred, "rest"));
  assert.is(withTable((table) => table.add(script("a", 5)).base), 7);
});

symbols("when no room is left a script is refused and the file stays as it is", () => {
  const text = line(0, BLOCKS - 4, "most");
  fs.writeFileSync(file, text);
  withTable((table) => {
    assert.throws(
      () => table.add(script("a", 5)),
      (error: Error) =>
        error instanceof RangeError &&
        error.message === "Cannot give 5 blocks of a PCs: no room is left",
    );
    assert.is(fs.readFileSync(file, "utf8"), text);
    assert.is(table.add(script("b", 4)).base, BLOCKS - 4);
    assert.throws(() => table.add(script("c", 1)), /no room is left/);
  });
});

symbols("a last line that a crash tore anywhere costs nothing that was before it", () => {
  const before = withTable((table) => [table.add(script("a", 2)), table.add(script("b", 1))]);
  const whole = fs.readFileSync(file);
  const mapped = { ...script("torn", 2), files: ["original"], fileOf: Uint32Array.of(1, 0) };
  const torn = withTable((table) => table.add(mapped));
  const bytes = fs.readFileSync(file);
  for (let length = whole.length; length < bytes.length; length++) {
    fs.writeFileSync(file, bytes.subarray(0, length));
    const bases = withTable((table) => {
      assert.equal(table.segments.map(({ url }) => url).sort(), ["a", "b"], `cut at ${length}`);
      assert.is(table.damaged, 0);
      return [table.add(script("next", 3)).base, table.add(script("torn", 2)).base];
    });
    withTable((table) => {
      assert.is(table.damaged, 0, `cut at ${length}`);
      const found = ["a", "b", "next", "torn"].map((url) => table.find({ url, hash: "aa" })?.base);
      assert.equal(found, [before[0].base, before[1].base, ...bases]);
      assert.equal(table.locate(blockNumber(bases[0] + 2)), {
        url: "next",
        range: "3.2,3.3",
        isOriginal: false,
      });
    });
    assert.is(bases[1], torn.base, "the same script gets the same PCs again");
    assert.equal(fs.readFileSync(file).subarray(0, whole.length), whole);
  }
});

symbols("a line that is torn while the table is open is cut off before the next", () => {
  withTable((table) => {
    const a = table.add(script("a", 2));
    fs.appendFileSync(file, 'kcovfs1\t5\t1\taa\t"to');
    const b = table.add(script("b", 2));
    assert.equal(table.locate(b.base), { url: "b", range: "1.2,1.3", isOriginal: false });
    assert.equal(table.locate(a.base), { url: "a", range: "1.2,1.3", isOriginal: false });
  });
  assert.is(fs.readFileSync(file, "utf8").split("\n").length, 3);
});

symbols("damaged lines in the middle are kept and ignored, and counted", () => {
  const damaged = [
    "",
    "garbage",
    'kcovfs2\t5\t1\taa\t"a"\t1.1,1.2',
    'kcovfs2\t5\t1\taa\t"a"\t["b"]',
    'kcovfs2\t5\t1\taa\t"a"\t["b"\t1:1.1,1.2',
    'kcovfs2\t5\t1\taa\t"a"\t[1]\t1:1.1,1.2',
    'kcovfs2\t5\t1\taa\t"a"\t{}\t1:1.1,1.2',
    'kcovfs3\t5\t1\taa\t"a"\t[]\t1.1,1.2',
    'kcovfs1\t5\t1\taa\t"a"',
    'kcovfs1\t5\t1\taa\t"a\t1.1,1.2',
    "kcovfs1\t5\t1\taa\ta\t1.1,1.2",
    ...["", "-5", "5.5", "x", "0x5", " 5", "1e3", "99999999999"].map((base) =>
      line(base, 1, "a").trimEnd()
    ),
    ...["", "-1", "1.5", "NaN"].map((count) => line(5, count, "a").trimEnd()),
    line(BLOCKS, 1, "a").trimEnd(),
    line(1, BLOCKS, "a").trimEnd(),
    "\0".repeat(40),
  ];
  const text = line(10, 1, "first") + damaged.map((text) => `${text}\n`).join("") +
    line(20, 1, "last", "4.4,5.5");
  fs.writeFileSync(file, text);
  const added = withTable((table) => {
    assert.is(table.damaged, damaged.length);
    assert.equal(table.segments.map(({ url }) => url), ["first", "last"]);
    assert.equal(table.locate(blockNumber(20)), {
      url: "last",
      range: "4.4,5.5",
      isOriginal: false,
    });
    assert.is(table.locate(blockNumber(5)), undefined);
    return table.add(script("a", 2));
  });
  assert.ok(fs.readFileSync(file, "utf8").startsWith(text));
  withTable((table) =>
    assert.equal(table.locate(added.base), { url: "a", range: "1.2,1.3", isOriginal: false })
  );
});

symbols(
  "of lines that claim the same PCs the first counts, and one that claims none does not",
  () => {
    const text = [line(10, 5, "a"), line(14, 1, "b"), line(9, 2, "c"), line(15, 1, "d")];
    fs.writeFileSync(file, [...text, line(8, 20, "e"), line(20, 0, "f")].join(""));
    withTable((table) => {
      assert.equal(table.segments.map(({ url }) => url), ["a", "d"]);
      assert.is(table.damaged, 4);
      assert.is(table.find({ url: "b", hash: "aa" }), undefined);
      assert.ok(table.add(script("b", 2)).base > 15);
    });
  },
);

symbols("a line that claims millions of blocks takes no memory for their places", () => {
  fs.writeFileSync(file, line(0, BLOCKS - 4, "most"));
  withTable((table) => {
    assert.ok(table.positions(table.segments[0]).length < 100);
    assert.equal(table.locate(blockNumber(BLOCKS - 5)), {
      url: "most",
      range: "1.1,1.1",
      isOriginal: false,
    });
  });
});

symbols("of two lines about one script the first counts", () => {
  fs.writeFileSync(file, line(10, 1, "a") + line(50, 1, "a"));
  withTable((table) => {
    assert.equal(table.segments.map(({ base }) => base), [10]);
    assert.is(table.damaged, 0);
  });
});

symbols("two tables on one file see each other's additions and never overlap", () => {
  using one = SymbolTable.open(file);
  using other = SymbolTable.open(file);
  const shared = one.add(script("shared", 4));
  assert.equal(other.add(script("shared", 4)), shared);
  const preferred = preferredBase({ url: "mine", hash: "aa", count: 4 });
  fs.appendFileSync(file, line(preferred, 2, "squatter"));
  assert.is(other.add(script("mine", 4)).base, preferred + 2);
  assert.is(one.add(script("mine", 4)).base, preferred + 2);
  assert.equal(one.segments, other.segments);
  assert.equal(one.locate(blockNumber(preferred + 2)), {
    url: "mine",
    range: "1.2,1.3",
    isOriginal: false,
  });
});

symbols("who only looks up repairs nothing and sees the whole lines", () => {
  const text = line(10, 1, "a") + "kcovfs1\t20\t1";
  fs.writeFileSync(file, text);
  using table = SymbolTable.open(file, { isReadOnly: true });
  assert.equal(table.segments.map(({ url }) => url), ["a"]);
  assert.equal(table.locate(blockNumber(10)), { url: "a", range: "1.1,1.2", isOriginal: false });
  assert.is(fs.readFileSync(file, "utf8"), text);
});

symbols("who only looks up makes no file", () => {
  assert.throws(
    () => SymbolTable.open(file, { isReadOnly: true }),
    (error: NodeJS.ErrnoException) => error.code === "ENOENT",
  );
  assert.equal(fs.readdirSync(folder), []);
});

symbols.run();
