import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FuzzedDataProvider } from "../../src/harness/fuzzed_data_provider.ts";

const provider = suite("harness/fuzzed_data_provider");

function of(...bytes: number[]): FuzzedDataProvider {
  return new FuzzedDataProvider(Buffer.from(bytes));
}

provider("single numbers come from the end, lowest byte first; lists from the start", () => {
  const data = of(1, 2, 3, 4, 5, 6);
  assert.is(data.consumeIntegral(2), 0x0605);
  assert.equal(data.consumeIntegrals(1, 2), [0x0102]);
  assert.is(data.remainingBytes, 2);
  assert.equal(data.consumeRemainingAsBytes(), [3, 4]);
  assert.is(data.remainingBytes, 0);
});

provider("a signed number is counted from the least", () => {
  assert.is(of(0).consumeIntegral(1, true), -128);
  assert.is(of(255).consumeIntegral(1, true), 127);
  assert.equal(of(0, 255).consumeIntegrals(2, 1, true), [-128, 127]);
  assert.is(of(0, 0, 0, 0, 0, 0, 0, 1).consumeBigIntegral(8, true), -(2n ** 63n) + (1n << 56n));
});

provider("a number in a range takes no more bytes than the range needs", () => {
  const data = of(9, 8, 7);
  assert.is(data.consumeIntegralInRange(10, 15), 10 + 7 % 6);
  assert.is(data.remainingBytes, 2);
  assert.is(data.consumeIntegralInRange(-5, -5), -5);
  assert.is(data.remainingBytes, 2);
  assert.is(data.consumeIntegralInRange(0, 256), 0x0809 % 257);
});

provider("an input that is used up gives zeros, the least, and nothing", () => {
  const data = of();
  assert.is(data.consumeBoolean(), false);
  assert.is(data.consumeIntegral(4), 0);
  assert.is(data.consumeIntegralInRange(3, 9), 3);
  assert.is(data.consumeNumber(), 0);
  assert.is(data.consumeString(10), "");
  assert.equal(data.consumeBytes(3), []);
  assert.equal(data.consumeNumbers(3), []);
  assert.equal(data.consumeStringArray(3, 3), []);
  assert.is(data.pickValue(["a", "b"]), "a");
});

provider("texts are UTF-8 from the start, in Node's encodings, or printable", () => {
  assert.is(new FuzzedDataProvider(Buffer.from("käse")).consumeRemainingAsString(), "käse");
  assert.is(of(0x61, 0xe4).consumeString(2, "latin1"), "aä");
  assert.match(of(0, 10, 200, 65).consumeRemainingAsString("latin1", true), /^[ -~]{3}A$/);
  assert.equal(of(97, 98, 99).consumeStringArray(5, 2), ["ab", "c"]);
});

provider("floats are in their range, wide ones too", () => {
  assert.is(of(0, 0, 0, 0).consumeProbabilityFloat(), 0);
  assert.is(of(255, 255, 255, 255).consumeProbabilityFloat(), 1);
  assert.is(of(255, 255, 255, 255).consumeFloatInRange(1, 3), 3);
  for (const first of [0, 1]) {
    const bytes = Array.from({ length: 16 }, (_, i) => i === 15 ? first : i * 16);
    const value = of(...bytes).consumeDouble();
    assert.ok(Number.isFinite(value), String(value));
    assert.is(value > 0, first === 1, String(value));
  }
});

provider("numbers are the bytes of doubles", () => {
  const bytes = Buffer.alloc(16);
  bytes.writeDoubleBE(1.5, 0);
  bytes.writeDoubleLE(-2.25, 8);
  const data = new FuzzedDataProvider(bytes);
  assert.is(data.consumeNumber(), -2.25);
  assert.equal(data.consumeNumbers(4), [1.5]);
});

provider("values are picked once each", () => {
  assert.equal(of(0, 1, 2).pickValues(["a", "b", "c"], 3).sort(), ["a", "b", "c"]);
  assert.throws(() => of(1).pickValues(["a"], 2), /greater than the array length/);
  assert.throws(() => of(1).pickValue([]), /empty/);
});

provider("what is no whole number of bytes is refused", () => {
  assert.throws(() => of(1).consumeBytes(1.5), /must be an integer/);
  assert.throws(() => of(1).consumeIntegral(7), /from 0 to 6/);
  assert.throws(() => of(1).consumeIntegralInRange(2, 1), /less than or equal/);
});

provider.run();
