import { createRequire } from "node:module";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("agent/inside/comparisons");

type Write = (type: number, low1: number, high1: number, low2: number, high2: number) => void;

interface Comparisons {
  compareValues(left: unknown, right: unknown, options: { isConst: boolean; write: Write }): void;
  compareCases(value: unknown, constants: readonly unknown[], write: Write): void;
  compareSought(kind: number, text: unknown, sought: unknown, write: Write): void;
}

const { compareCases, compareSought, compareValues } = createRequire(import.meta.url)(
  "../../../src/agent/inside/comparisons.cjs",
) as Comparisons;

interface Comparison {
  readonly bytes: number;
  readonly isConst: boolean;
  readonly one: bigint;
  readonly other: bigint;
}

/** The records that are written meanwhile. */
function written(compare: (write: Write) => void): Comparison[] {
  const records: Comparison[] = [];
  compare((type, low1, high1, low2, high2) => {
    for (const half of [low1, high1, low2, high2]) assert.is(half >>> 0, half);
    const join = (low: number, high: number) => BigInt(high) << 32n | BigInt(low);
    const [one, other] = [join(low1, high1), join(low2, high2)];
    records.push({ bytes: 1 << (type >> 1), isConst: (type & 1) === 1, one, other });
  });
  return records;
}

/** The same as text: `bytes: one other`, in hex. */
function numbers(left: unknown, right: unknown): string[] {
  return written((write) => compareValues(left, right, { isConst: false, write }))
    .map(({ bytes, one, other }) => `${bytes}: ${one.toString(16)} ${other.toString(16)}`);
}

function asText(value: bigint, bytes: number): string {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(value);
  return buffer.toString("utf8", 0, bytes).replace(/\0+$/, "");
}

function texts(records: readonly Comparison[]): string[] {
  return records.map(({ bytes, one, other }) =>
    `${bytes}: ${asText(one, bytes)} ${asText(other, bytes)}`
  );
}

function textsOf(left: string, right: string): string[] {
  return texts(written((write) => compareValues(left, right, { isConst: false, write })));
}

test("integers have the smallest size that holds both", () => {
  assert.equal(numbers(0, 255), ["1: 0 ff"]);
  assert.equal(numbers(256, 1), ["2: 100 1"]);
  assert.equal(numbers(0xffff, 0x10000), ["4: ffff 10000"]);
  assert.equal(numbers(1, 2 ** 32), ["8: 1 100000000"]);
  assert.equal(numbers(2 ** 53, 3), ["8: 20000000000000 3"]);
});

test("a negative one makes both signed", () => {
  assert.equal(numbers(-1, 127), ["1: ff 7f"]);
  assert.equal(numbers(-1, 128), ["2: ffff 80"]);
  assert.equal(numbers(-129, 0), ["2: ff7f 0"]);
  assert.equal(numbers(-1, 2 ** 31), ["8: ffffffffffffffff 80000000"]);
  assert.equal(numbers(-(2 ** 31), -0), ["4: 80000000 0"]);
  assert.equal(numbers(-(2 ** 40), 5), ["8: ffffff0000000000 5"]);
});

test("bigints are as integers are, while 64 bits hold them", () => {
  assert.equal(numbers(5n, 200n), ["1: 5 c8"]);
  assert.equal(numbers(-1n, 200n), ["2: ffff c8"]);
  assert.equal(numbers(2n ** 64n - 1n, 0n), ["8: ffffffffffffffff 0"]);
  assert.equal(numbers(-(2n ** 63n), 1n), ["8: 8000000000000000 1"]);
  assert.equal(numbers(2n ** 64n, 0n), []);
  assert.equal(numbers(-1n, 2n ** 63n), []);
});

test("what is neither integers nor texts is not written", () => {
  const pairs = [
    [0.5, 1],
    [NaN, 1],
    [Infinity, 1],
    [2 ** 64, 1],
    [null, undefined],
    [{}, {}],
    [
      1,
      1n,
    ],
    [true, false],
    [Symbol.iterator, "a"],
    ["a", 1],
    ["", 0],
    ["0.5", 1],
    [1, null],
    ["", ""],
  ];
  for (const [left, right] of pairs) assert.equal(numbers(left, right), []);
});

test("a number and a string that looks like one are compared as texts", () => {
  const record = (left: unknown, right: unknown) =>
    texts(written((write) => compareValues(left, right, { isConst: true, write })));
  assert.equal(record(42, "17"), ["2: 42 17"]);
  assert.equal(record("1234", 5678), ["4: 1234 5678"]);
});

test("texts are told from where they differ, by the largest size that both still have", () => {
  assert.equal(textsOf("GET", "PUT"), ["2: GE PU"]);
  assert.equal(textsOf("keyword1", "12345678"), ["8: keyword1 12345678"]);
  assert.equal(textsOf("keyword1", "keywxxxx"), ["4: ord1 xxxx"]);
  assert.equal(textsOf("a long beginning, x", "a long beginning, y"), ["1: x y"]);
  assert.equal(textsOf("the same start, then one", "the same start, else two"), [
    "8: then one else two",
  ]);
});

test("characters of several bytes are not split where texts differ", () => {
  assert.equal(textsOf("aé", "aè"), ["2: é è"]);
  assert.equal(textsOf("😀", "😁"), ["4: 😀 😁"]);
  assert.equal(textsOf("€", "$"), ["1: \ufffd $"]);
});

test("of equal texts the last bytes are told", () => {
  assert.equal(textsOf("same", "same"), ["4: same same"]);
  assert.equal(textsOf("0123456789", "0123456789"), ["8: 23456789 23456789"]);
});

test("where lengths differ there is how to go on, with something that both have", () => {
  assert.equal(textsOf("password", "x"), ["1: p x", "8: password x"]);
  assert.equal(textsOf("password", "pass"), ["8: password pass"]);
  assert.equal(textsOf("p", "pa"), ["2: p pa"]);
  assert.equal(textsOf("0123456789abcdef", "01234567"), ["8: 456789ab 4567"]);
  assert.equal(textsOf("", "word"), ["4:  word"]);
});

test("a constant is the first argument, and marked", () => {
  const [record] = written((write) => compareValues(5, 6, { isConst: true, write }));
  assert.equal(record, { bytes: 1, isConst: true, one: 5n, other: 6n });
});

test("a switch compares with each of its constants", () => {
  const records = written((write) => compareCases(7, [1, 300, "a", -2], write));
  assert.equal(records, [
    { bytes: 1, isConst: true, one: 1n, other: 7n },
    { bytes: 2, isConst: true, one: 300n, other: 7n },
    { bytes: 1, isConst: true, one: 254n, other: 7n },
  ]);
});

const [STARTS, ENDS, HAS, CONSTANT] = [0, 1, 2, 4];

function sought(kind: number, text: unknown, part: unknown): string[] {
  return texts(written((write) => compareSought(kind, text, part, write)));
}

test("what is sought is told with what stands in its place", () => {
  assert.equal(sought(STARTS, "http://a", "ftp:"), ["4: ftp: http"]);
  assert.equal(sought(ENDS, "a.json", ".js"), ["2: .j so"]);
  assert.equal(sought(ENDS, "s", ".js"), ["1: . s", "4: .js s"]);
  assert.equal(sought(HAS, "one foo two", "four"), ["2: ur o "]);
  assert.equal(sought(HAS, "abc", "xyz"), ["2: xy ab"]);
  assert.equal(sought(HAS, "a word here", "word"), ["4: word word"]);
});

test("only a constant that is sought is marked as one", () => {
  const isConst = (kind: number) =>
    written((write) => compareSought(kind, "ab", "cd", write)).map((record) => record.isConst);
  assert.equal([isConst(STARTS), isConst(STARTS + CONSTANT)], [[false], [true]]);
  assert.equal(sought(ENDS + CONSTANT, "a.ts", ".js"), ["2: js ts"]);
});

test("arrays and patterns are sought in by the same names, and are not written", () => {
  for (const [text, part] of [[["a"], "a"], ["a", /a/], ["a", 1], [undefined, "a"]]) {
    assert.equal(sought(HAS, text, part), []);
  }
});

/** A client that finds one side of a record in its input, and replaces it by the other side. */
function solve(first: string, compare: (input: string, write: Write) => boolean): number {
  const seen = new Set<string>();
  let inputs = [first];
  for (let step = 0; step < 10; step++) {
    const next: string[] = [];
    for (const input of inputs) {
      let isSolved = false;
      const records = written((write) => isSolved = compare(input, write));
      if (isSolved) return step;
      for (const { bytes, one, other } of records) {
        const [to, from] = [asText(one, bytes), asText(other, bytes)];
        const mutant = input.replace(from, () => to);
        if (!seen.has(mutant)) next.push(mutant);
        seen.add(mutant);
      }
    }
    inputs = next;
  }
  return Infinity;
}

test("a client that takes its values from records finds a keyword in a few steps", () => {
  const equals = (word: string) => (input: string, write: Write) => {
    compareValues(word, input, { isConst: true, write });
    return input === word;
  };
  assert.is(solve("aaaaaaaa", equals("function")), 1);
  assert.is(solve("a", equals("function")), 1);
  assert.is(solve("funny", equals("function")), 1);
  assert.ok(solve("x", equals("a keyword of 24 letters.")) <= 6);
  assert.ok(solve("xxxxx", equals("größe€😀")) <= 6);
});

test.run();
