/** The store of comparisons, and mutations by them, on records as the kernel and kcovfs write them. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Parts } from "../../src/agent/inside/comparisons.cts";
import { compileFile } from "../e2e/harness.ts";

const hints = suite("hints");

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const { compareCases, compareSought, compareValues } = createRequire(import.meta.url)(
  "../../src/agent/inside/comparisons.cjs",
) as Parts;

/** Mutations that a test looks through for the one that it wants. */
const MANY = 300;

/** A record: type, two operands, PC. */
type RecordWords = readonly [number, bigint | number, bigint | number, number];

/** Records as a target's probes write them. */
class Area {
  readonly records: RecordWords[] = [];

  /** `left === right` at a PC; a constant is on the right. */
  compare(pc: number, left: unknown, right: unknown, isConst = false): this {
    const [one, other] = isConst ? [right, left] : [left, right];
    compareValues(one, other, { isConst, write: this.#writer(pc) });
    return this;
  }

  startsWith(pc: number, text: string, sought: string): this {
    compareSought(4, text, sought, this.#writer(pc));
    return this;
  }

  cases(pc: number, value: unknown, constants: readonly unknown[]): this {
    compareCases(value, constants, this.#writer(pc));
    return this;
  }

  #writer(pc: number): Parameters<Parts["compareCases"]>[2] {
    return (type, low1, high1, low2, high2) => {
      const join = (low: number, high: number) => BigInt(high) << 32n | BigInt(low);
      this.records.push([type, join(low1, high1), join(low2, high2), pc]);
    };
  }
}

/** A store, asked by lines. */
class Store {
  readonly #lines: string[] = [];
  readonly #seed: number;

  constructor({ seed = 1 }: { seed?: number } = {}) {
    this.#seed = seed;
  }

  add({ records }: { records: readonly RecordWords[] }, verb = "add"): this {
    return this.say(`${verb} ${records.flat().map((word) => word.toString(16)).join(" ")}`);
  }

  say(line: string): this {
    this.#lines.push(line);
    return this;
  }

  /** @returns what is printed, by line. */
  run(): string[] {
    const [driver, source] = ["test/bridges/hints_driver.c", "bridges/hints.c"].map((file) =>
      `${ROOT}${file}`
    );
    const program = compileFile(driver, source);
    const { stdout, stderr, status } = spawnSync(program, [`${this.#seed}`], {
      input: `${this.#lines.join("\n")}\n`,
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    assert.is(status, 0, stderr);
    return stdout.split("\n").slice(0, -1);
  }

  /** @returns mutations of an input, as latin1. */
  mutations(input: string, { count = MANY, max = 64 } = {}): string[] {
    const hex = Buffer.from(input, "latin1").toString("hex");
    const lines = this.say(`mutate ${count} ${max} ${hex}`).run().slice(-count);
    return lines.map((line) => line === "-" ? line : Buffer.from(line, "hex").toString("latin1"));
  }

  words(): string[] {
    const line = this.say("words").run().at(-1)!;
    return line.split(" ").filter(Boolean).map((hex) => Buffer.from(hex, "hex").toString("latin1"));
  }
}

/** Asserts that an input becomes another; a fair share of the mutations must be it. */
function becomes(area: Area, from: string, to: string): void {
  const found = new Store().add(area).mutations(from);
  assert.ok(found.includes(to), `${JSON.stringify(to)} is not among ${JSON.stringify(found)}`);
}

for (
  const [how, before, after] of [
    ["as a byte", "..A..", "..Z.."],
    ["in two bytes, the lower first", "..A\0..", "..Z\0.."],
    ["in two bytes, the upper first", "..\0A..", "..\0Z.."],
    ["in digits", "n=65;", "n=90;"],
    ["in hex digits", "n=41;", "n=5a;"],
  ]
) {
  hints(`a number that is found ${how} is replaced`, () => {
    becomes(new Area().compare(8, 65, 90, true), before, after);
  });
}

hints("a number of four bytes is found in both orders", () => {
  const area = () => new Area().compare(8, 0x61626364, 0x4d5a9000, true);
  becomes(area(), "..dcba..", "..\0\x90ZM..");
  becomes(area(), "..abcd..", "..MZ\x90\0..");
});

hints("a number is found in fewer bytes than it is compared in", () => {
  becomes(new Area().compare(8, 0x616263, 0x010203, true), "..abc..", "..\x01\x02\x03..");
  becomes(new Area().compare(8, 0x616263, 0x010203, true), "..cba..", "..\x03\x02\x01..");
});

hints("a number with a sign is found in more bytes than it is compared in", () => {
  const area = () => new Area().compare(8, -2, 5, true);
  becomes(area(), ".\xfe\xff\xff\xff.", ".\x05\0\0\0.");
  becomes(area(), ".\xff\xff\xff\xfe.", ".\0\0\0\x05.");
  becomes(area(), "n=-2;", "n=5;");
});

hints("what is compared by an order is passed by one, too", () => {
  const area = () => new Area().compare(8, 65, 70, true);
  becomes(area(), "A", "E");
  becomes(area(), "A", "G");
});

hints("where neither is a constant, either is put in the place of the other", () => {
  becomes(new Area().compare(8, 65, 90), "..A..", "..Z..");
  becomes(new Area().compare(8, 65, 90), "..Z..", "..A..");
});

hints("a constant of the program's is not looked for", () => {
  const found = new Store().add(new Area().compare(8, "abcd", "wxyz", true)).mutations("wxyz");
  assert.not.ok(found.includes("abcd"));
});

hints("a length that the input names becomes the length that it has", () => {
  becomes(new Area().compare(8, 0x41414141, 12), "AAAA........", "\x0c\0\0\0........");
});

hints(
  "a text becomes one of the same length, or a longer one, that takes more place or moves the rest",
  () => {
    becomes(new Area().compare(8, "abcd", "wxyz", true), "<abcd>", "<wxyz>");
    becomes(new Area().compare(8, "ab", "script", true), "<ab>", "<script>");
    becomes(new Area().compare(8, "ab", "script", true), "<ab>1234", "<script4");
  },
);

hints("a text becomes a shorter one", () => {
  becomes(new Area().compare(8, "abcdef", "xy", true), "<abcdef>", "<xy>");
});

hints("a text that begins as wanted is gone on with", () => {
  becomes(new Area().startsWith(8, "<!", "<!DOCTYPE"), "<!", "<!DOCTYP");
  becomes(new Area().startsWith(8, "<!DOCTYP", "<!DOCTYPE"), "<!DOCTYP", "<!DOCTYPE");
});

hints("a text is found in UTF-16", () => {
  becomes(new Area().compare(8, "ab", "xy", true), ".a\0b\0", ".x\0y\0");
  becomes(new Area().compare(8, "ab", "xy", true), "\0a\0b.", "\0x\0y.");
});

hints("a text is found in the other case", () => {
  becomes(new Area().compare(8, "abcd", "wxyz", true), "<ABcd>", "<wxyz>");
});

hints("of a switch each case is tried", () => {
  const area = () => new Area().cases(8, "abcde", ["plain", "gamma", "omega"]);
  for (const word of ["plain", "gamma", "omega"]) {
    const found = new Store().add(area()).mutations("abcde");
    assert.ok(found.some((text) => text.startsWith(word.slice(0, 4))), word);
  }
});

hints("what is in no relation to the input is put in, too, at a lower weight", () => {
  const found = new Store().add(new Area().compare(8, "computed", "wanted", true)).mutations(
    "....",
  );
  assert.ok(found.some((text) => text.includes("wanted")));
  const related = new Store().add(new Area().compare(8, "abcd", "wxyz", true)).mutations("abcd");
  assert.ok(related.filter((text) => text === "wxyz").length > MANY / 2);
});

/** The same place compares each byte and goes on, whatever it finds. */
function wholeMagic(magic: string, input: string): Area {
  const area = new Area();
  for (let i = 0; i < magic.length; i++) {
    area.compare(8, input.charCodeAt(i), magic.charCodeAt(i));
  }
  return area;
}

const PNG = "\x89PNG\r\n\x1a\n";

hints("a magic that a loop compares to its end is put in as a whole", () => {
  becomes(wholeMagic(PNG, "abcdefgh"), "abcdefgh....", `${PNG}....`);
  assert.ok(new Store().add(wholeMagic(PNG, "abcdefgh")).words().includes(PNG));
});

hints("the loop's own counter is not in the way", () => {
  const area = new Area();
  for (let i = 0; i < 8; i++) {
    area.compare(8, i, 8, true).compare(8, "abcdefgh".charCodeAt(i), PNG.charCodeAt(i));
  }
  becomes(area, "abcdefgh....", `${PNG}....`);
});

hints("characters that are compared one after the other, each at its place, become a word", () => {
  const area = new Area();
  [..."DOCX"].forEach((unit, i) => area.compare(8 * i, unit, "DOCT"[i], true));
  assert.ok(new Store().add(area).words().includes("DOCT"));
  becomes(area, "X.DOCX.X", "X.DOCT.X");
});

hints("so do those that a loop compares until they differ, with its counter between", () => {
  const area = new Area();
  for (let i = 0; i < 4; i++) {
    area.compare(8, i, 7).compare(16, "DOCX".charCodeAt(i), "DOCTYPE".charCodeAt(i));
  }
  assert.ok(new Store().add(area).words().includes("DOCT"));
  becomes(area, "XXXXXXXXDOCXXXXX", "XXXXXXXXDOCTXXXX");
});

hints("pieces of a long text that is compared become the text", () => {
  const store = new Store()
    .add(new Area().startsWith(8, "ab", "application/json"))
    .add(new Area().startsWith(8, "applicat", "application/json"));
  assert.ok(store.words().includes("application/"), store.words().join(" "));
});

hints("words are put in, those of a dictionary, too", () => {
  const found = new Store().say(`word ${Buffer.from("<?xml").toString("hex")}`).mutations("ab");
  assert.ok(found.includes("<?xmlab"));
  assert.ok(found.includes("ab<?xml"));
  assert.ok(found.includes("a<?xmlb"));
});

hints("where there is nothing to put in, nothing is changed", () => {
  assert.equal(new Store().mutations("abc", { count: 3 }), ["-", "-", "-"]);
});

hints("what would be too long is not made", () => {
  const store = new Store().add(new Area().compare(8, "ab", "script", true));
  const found = store.mutations("<ab>12", { max: 7 });
  for (const text of found) assert.ok(text === "-" || text.length <= 7, text);
});

hints("an empty input gets something", () => {
  const found = new Store().add(new Area().startsWith(8, "", "magic")).mutations("");
  assert.ok(found.includes("magic"));
});

/** 3,000 comparisons of a loop's counter with its end, and one that matters, at a place of its own. */
function crowd(pc: number): Area {
  const area = new Area();
  for (let i = 0; i < 3000; i++) area.compare(8, 3 * i % 5000, 60000 - i);
  return area.compare(pc, "abcd", "wxyz", true);
}

hints("a place that compares much does not crowd out others", () => {
  const found = new Store().add(crowd(16)).mutations("..abcd..", { count: 100 });
  assert.ok(found.filter((text) => text === "..wxyz..").length > 10);
});

hints("of more places than there is room for the newest are kept", () => {
  const store = new Store();
  for (let i = 0; i < 5000; i++) store.add(new Area().compare(8 * i, "efgh", "ijkl", true));
  store.add(new Area().compare(1 << 20, "abcd", "wxyz", true));
  const found = store.mutations("abcdefgh", { count: 40 });
  assert.ok(found.includes("wxyzefgh"));
});

hints("the same seed makes the same mutations, another one others", () => {
  const mutations = (seed: number) =>
    new Store({ seed }).add(crowd(16)).mutations("..abcd..", { count: 50 });
  assert.equal(mutations(1), mutations(1));
  assert.not.equal(mutations(1), mutations(2));
});

hints("an input is worth a run once, and within the share of the time", () => {
  const store = new Store();
  for (const line of ["worthwhile 1 1000 61", "worthwhile 1 1001 61", "spent 1000 2000"]) {
    store.say(line);
  }
  // A run takes 1 ms, so that a second one is due 8 ms after the beginning.
  for (const now of [2000, 8900, 9100]) store.say(`worthwhile 1 ${now} 62`);
  assert.equal(store.run(), ["1", "0", "0", "0", "1"]);
});

hints("while comparisons tell nothing new, fewer runs are worth it", () => {
  const store = new Store().say("worthwhile 1 1000 61").say("spent 1000 2000");
  const same = new Area().compare(8, 65, 90, true);
  for (let i = 0; i < 100; i++) store.add(same);
  // A quarter of the time would be enough for the first. It is halved twice, to 6 %.
  for (const now of [9100, 34_000, 35_000]) store.say(`worthwhile 1 ${now} 62`);
  assert.equal(store.run(), ["1", "0", "0", "1"]);
});

hints("what has found nothing gets half of the share", () => {
  const store = new Store().say("worthwhile 1 1000 61").say("spent 1000 2000");
  for (const [found, now] of [[0, 9100], [0, 15_000], [0, 17_000]]) {
    store.say(`worthwhile ${found} ${now} 62`);
  }
  assert.equal(store.run(), ["1", "0", "0", "1"]);
});

hints("an area tells whether the program has come further than ever", () => {
  const store = new Store();
  for (
    const [input, further] of [
      ["abcdefgh", 1],
      ["xbcdefgh", 0],
      ["wxyzstuvabc", 1],
      ["wxyzstuvxyz", 0],
      ["wxyzstuv0123", 1],
    ] as const
  ) {
    store.add(new Area().startsWith(8, input, "wxyzstuv0123"), "further");
    const told = parseInt(store.run().at(-1)!, 10);
    assert.is(told > 0, further === 1, input);
  }
});

hints("any records and inputs do", () => {
  let state = 1;
  const random = (limit: number) => (state = state * 48271 % 2147483647) % limit;
  const store = new Store();
  for (let round = 0; round < 30; round++) {
    const records = Array.from({ length: random(300) }, (): RecordWords => [
      random(16),
      BigInt(random(2) ? random(300) : random(2 ** 31 - 1)) << BigInt(random(33)),
      BigInt(random(2) ? random(300) : random(2 ** 31 - 1)) << BigInt(random(33)),
      8 * random(40),
    ]);
    const size = random(40);
    const input = Buffer.from(Array.from({ length: size }, () => random(random(2) ? 3 : 256)));
    store.add({ records }).say(`mutate 100 ${size + random(20)} ${input.toString("hex")}`);
  }
  assert.not.ok(store.run().includes("changed"));
});

hints.run();
