/** Intervals and paired tests against values known in closed form. */
import { describe, expect, it } from "vitest";
import { comparePaired } from "../../src/evaluation/index.ts";
import { bootstrapMean, Random } from "../../src/foundation/index.ts";

describe("bootstrapMean", () => {
  it("holds the true mean in about 95 of 100 samples", () => {
    let held = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed, 5);
      const { interval } = bootstrapMean(
        Array.from({ length: 80 }, () => Number(random.uniform() < 0.7)),
        seed,
      );
      if (interval[0] <= 0.7 && 0.7 <= interval[1]) held++;
    }
    expect(held).toBeGreaterThan(180);
    expect(held).toBeLessThan(200);
  });
});

describe("comparePaired", () => {
  it("gives the exact McNemar probability", () => {
    // 2 against 8 discordant pairs: 2 · (1 + 10 + 45) / 1024.
    const first = [...Array(2).fill(1), ...Array(8).fill(0), 1, 0];
    const second = [...Array(2).fill(0), ...Array(8).fill(1), 1, 0];
    const { pValue, onlyFirst, onlySecond, difference } = comparePaired(first, second);
    expect([onlyFirst, onlySecond]).toEqual([2, 8]);
    expect(pValue).toBeCloseTo(112 / 1024, 12);
    expect(difference.value).toBeCloseTo(0.5, 12);
  });
});
