import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";
import { formatSymbols, symbolize, symbolLines } from "../../src/report/symbolize.ts";

const report = suite("report/symbolize");

/** A symbol table of lines: block, URL and the positions from there on. */
function withSymbols(
  scripts: readonly [base: number, url: string, positions: string][],
  work: (symbols: SymbolTable) => void,
): void {
  const folder = mkdtempSync(path.join(tmpdir(), "kcovfs-symbolize-"));
  try {
    const lines = scripts.map(([base, url, positions]) =>
      `kcovfs1\t${base}\t${positions.split(" ").length}\taa\t${JSON.stringify(url)}\t${positions}\n`
    );
    writeFileSync(path.join(folder, "symbols"), lines.join(""));
    using symbols = SymbolTable.open(path.join(folder, "symbols"), { isReadOnly: true });
    work(symbols);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Out of order, as scripts come; the second begins right after the first. */
const SCRIPTS: [number, string, string][] = [
  [18, "https://example.org/b.js", "7.1,7.9"],
  [16, "file:///srv/my%20app/a.js", "1.1,9.2 3.4,3.10"],
];

report("all blocks: the PC on one line, file:line.column,line.column on the next, by PC", () => {
  withSymbols(SCRIPTS, (symbols) => {
    assert.is(
      formatSymbols(symbols),
      "0xffffffff80000080\n/srv/my app/a.js:1.1,9.2\n" +
        "0xffffffff80000088\n/srv/my app/a.js:3.4,3.10\n" +
        "0xffffffff80000090\nhttps://example.org/b.js:7.1,7.9\n",
    );
    assert.is([...symbolLines(symbols)].length, 2, "a script's lines come together");
  });
});

report(
  "a block that a source map places elsewhere is there, and its script's lines stay together",
  () => {
    const folder = mkdtempSync(path.join(tmpdir(), "kcovfs-symbolize-"));
    try {
      writeFileSync(
        path.join(folder, "symbols"),
        'kcovfs2\t16\t3\taa\t"file:///dist/a.js"\t["file:///src/a%20b.ts","webpack://x/./c.ts"]\t' +
          "1.1,9.2 1:3.4,3.10 2:5.6,7.8\n",
      );
      using symbols = SymbolTable.open(path.join(folder, "symbols"), { isReadOnly: true });
      const lines = "0xffffffff80000080\n/dist/a.js:1.1,9.2\n" +
        "0xffffffff80000088\n/src/a b.ts:3.4,3.10\n" +
        "0xffffffff80000090\nwebpack://x/./c.ts:5.6,7.8\n";
      assert.is(formatSymbols(symbols), lines);
      assert.is(
        symbolize(symbols, 0xffffffff80000088n),
        "0xffffffff80000088\n/src/a b.ts:3.4,3.10\n",
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

report("a table without scripts is an empty text", () => {
  withSymbols([], (symbols) => assert.is(formatSymbols(symbols), ""));
});

report("a PC is found by its 64 bits and by the lower 32, and printed in full", () => {
  withSymbols(SCRIPTS, (symbols) => {
    const expected = "0xffffffff80000088\n/srv/my app/a.js:3.4,3.10\n";
    assert.is(symbolize(symbols, 0xffffffff80000088n), expected);
    assert.is(symbolize(symbols, 0x80000088n), expected);
  });
});

report("a PC that no script has is answered with a question mark", () => {
  withSymbols(SCRIPTS, (symbols) => {
    for (
      const pc of ["0xffffffff80000078", "0xffffffff80000098", "0xffffffff80000081", "0x0", "0x12"]
    ) {
      assert.is(symbolize(symbols, BigInt(pc)), `${pc}\n?\n`);
    }
    assert.is(symbolize(symbols, 0x123456789abcdef01n), "0x123456789abcdef01\n?\n");
  });
});

report("a name with line breaks stays on its line", () => {
  withSymbols([[0, "a\nb\r\nc", "1.1,1.2"]], (symbols) => {
    assert.is(formatSymbols(symbols), "0xffffffff80000000\na%0Ab%0D%0Ac:1.1,1.2\n");
    assert.is(symbolize(symbols, 0x80000000n), "0xffffffff80000000\na%0Ab%0D%0Ac:1.1,1.2\n");
  });
});

/**
 * The patterns by which syzkaller has read a line of `symbolize -all`, first and last: `gvisorLineRe` in its
 * gvisor.go.
 */
const SYZKALLER: RegExp[] = [
  /\/gvisor\/([^:]+):([0-9]+).([0-9]+),([0-9]+).([0-9]+)$/,
  /^(?:.*\/)?(pkg\/[^:]+):([0-9]+).([0-9]+),([0-9]+).([0-9]+)$/,
];

report("with a prefix all files are in one folder, by lines that syzkaller reads", () => {
  const scripts: [number, string, string][] = [
    [16, "file:///srv/my%20app/a.js", "1.1,9.2"],
    [18, "https://example.org:8080/b.js", "7.1,7.9"],
    [20, "webpack://x/./c.ts", "5.6,7.8"],
    [22, `data:text/javascript,${"x".repeat(100_000)}`, "1.1,1.9"],
  ];
  withSymbols(scripts, (symbols) => {
    const text = [...symbolLines(symbols, { prefix: "gvisor.dev/gvisor/pkg/" })].join("");
    const lines = text.trimEnd().split("\n").filter((_, i) => i % 2 === 1);
    assert.is(lines.length, 4);
    const names = SYZKALLER.map((pattern) => lines.map((line) => line.match(pattern)?.[1]));
    assert.equal(names[0].slice(0, 3), [
      "pkg/srv/my app/a.js",
      "pkg/https%3A//example.org%3A8080/b.js",
      "pkg/webpack%3A//x/./c.ts",
    ]);
    assert.equal(names[1], names[0]);
    assert.ok(
      lines[3].length < 64 * 1024 && names[0][3]?.startsWith("pkg/data%3Atext/javascript,x"),
    );
    assert.is(
      symbolize(symbols, 0xffffffff80000080n, { prefix: "p" }),
      "0xffffffff80000080\np/srv/my app/a.js:1.1,9.2\n",
    );
  });
});

report.run();
