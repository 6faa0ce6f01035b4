import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { align, type Curve, extentOf, Smoothed } from "../../src/dashboard/page/curves.ts";

const curveOf = (values: readonly number[], first = 1): Curve => ({
  x: Float64Array.from(values, (_, index) => first + index),
  y: Float32Array.from(values),
  rows: values.length,
});

describe("smoothing", () => {
  it("is the average with its start's bias taken out, whether all at once or as the curve grows", () => {
    const values = [4, 2, Number.NaN, 8, 1];
    const factor = 0.7;
    const expected: number[] = [];
    let [sum, weight] = [0, 0];
    for (const value of values) {
      if (!Number.isNaN(value)) [sum, weight] = [factor * sum + 0.3 * value, factor * weight + 0.3];
      expected.push(Number.isNaN(value) ? Number.NaN : sum / weight);
    }
    const whole = new Smoothed(factor).of(curveOf(values));
    const growing = new Smoothed(factor);
    for (let rows = 1; rows <= values.length; rows++) growing.of({ ...curveOf(values), rows });
    const grown = growing.of(curveOf(values));
    expected.forEach((value, row) => {
      for (const found of [whole[row], grown[row]]) {
        if (Number.isNaN(value)) expect(found).toBeNaN();
        else expect(found).toBeCloseTo(value, 5);
      }
    });
  });
});

describe("alignment", () => {
  it("keeps every value where there are few, of curves with steps of their own", () => {
    const [x, a, b] = align(
      [curveOf([1, 2, 3]), { x: Float64Array.of(2, 9), y: Float32Array.of(5, 6), rows: 2 }],
      { min: 1, max: 9 },
      100,
    );
    expect(x).toEqual([1, 2, 3, 9]);
    expect(a).toEqual([1, 2, 3, null]);
    expect(b).toEqual([null, 5, null, 6]);
  });

  it("loses no peak of a long curve, at any zoom, and draws no more than two points a pixel", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2000, max: 20_000 }),
        fc.integer({ min: 20, max: 300 }),
        fc.boolean(),
        fc.integer(),
        (rows, pixels, logX, seed) => {
          const peak = Math.abs(seed) % rows;
          const curve = curveOf(
            Array.from({ length: rows }, (_, index) => (index === peak ? 1000 : Math.sin(index + seed))),
          );
          const range = { min: 1, max: rows };
          const [x, y] = align([curve], range, pixels, { logX });
          expect(x.length).toBeLessThanOrEqual(2 * pixels + 4);
          expect(x.every((value, index) => index === 0 || value >= x[index - 1])).toBe(true);
          expect(y.filter((value) => value !== null && value > 900)).toHaveLength(1);
        },
      ),
    );
  });

  it("draws every part of the window and leaves out what a log axis cannot show", () => {
    const curve = curveOf(Array.from({ length: 10_000 }, (_, index) => index - 5000));
    const [x, y] = align([curve], { min: 1, max: 10_000 }, 100, { logY: true });
    expect(y.every((value) => value === null || value > 0)).toBe(true);
    const shown = x.filter((_, index) => y[index] !== null);
    expect(shown[0]).toBeGreaterThan(4900);
    expect(shown.at(-1)).toBeGreaterThan(9900);
    expect(extentOf([curveOf([1, 2, 3], 0)], true)).toEqual({ min: 1, max: 2 });
    expect(extentOf([curveOf([])])).toBeUndefined();
  });
});
