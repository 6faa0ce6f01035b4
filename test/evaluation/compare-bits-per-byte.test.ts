import { expect, it } from "vitest";
import { compareBitsPerByte } from "../../src/evaluation/index.ts";
import { Random } from "../../src/foundation/index.ts";

const random = new Random(3);
const bytes = Float64Array.from({ length: 200 }, () => 100 + random.below(5000));
// Documents differ much in how hard they are; one model is a tenth of a bit better on each.
const hardness = bytes.map(() => 1 + 2 * random.uniform());
const first = { bytes, bits: bytes.map((size, i) => size * hardness[i]) };
const second = { bytes, bits: bytes.map((size, i) => size * (hardness[i] - 0.1)) };

it("weighs documents by their bytes, and pairs them: a small but steady difference is seen through large spread", () => {
  const { first: a, second: b, difference, relative } = compareBitsPerByte(first, second);
  const total = (values: Float64Array) => values.reduce((sum, one) => sum + one, 0);
  expect(a.value).toBeCloseTo(total(first.bits) / total(bytes), 12);
  expect(b.value).toBeCloseTo(a.value - 0.1, 12);
  expect(relative.value).toBeCloseTo(b.value / a.value - 1, 12);
  // Unpaired, each is uncertain by more than the difference.
  expect(a.interval[1] - a.interval[0]).toBeGreaterThan(0.1);
  expect(difference.interval[0]).toBeCloseTo(-0.1, 9);
  expect(difference.interval[1]).toBeCloseTo(-0.1, 9);
});

it("takes only scores of the same documents", () => {
  const other = { bytes: bytes.slice(1), bits: first.bits.slice(1) };
  expect(() => compareBitsPerByte(first, other)).toThrow(/not scored on the same documents/);
  const changed = { bytes: bytes.map((size, i) => (i === 7 ? size + 1 : size)), bits: first.bits };
  expect(() => compareBitsPerByte(first, changed)).toThrow(/not scored on the same documents/);
});
