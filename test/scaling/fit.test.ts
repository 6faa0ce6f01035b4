/** Laws fitted to points from known constants, and what they forecast. */
import { describe, expect, it } from "vitest";
import { Random } from "../../src/foundation/index.ts";
import {
  effectiveTokens,
  fitLaw,
  flopsOf,
  forecast,
  isoFlopProfiles,
  lossOf,
  optimumForCompute,
  optimumForInference,
  optimumForLimitedData,
  type ScalingPoint,
} from "../../src/scaling/index.ts";

/** Besiroglu et al. 2024. */
const replicated = {
  form: "chinchilla" as const,
  constants: { E: 1.8172, A: 482.01, B: 2085.43, alpha: 0.3478, beta: 0.3658 },
};
/** Kaplan et al. 2020 with their constants for size and data. */
const kaplan = {
  form: "kaplan" as const,
  constants: { Nc: 8.8e13, Dc: 5.4e13, alphaN: 0.076, alphaD: 0.095 },
};

interface Noise {
  /** Standard deviation of log loss. */
  readonly deviation?: number;
  /** Share of runs that ended badly, with a loss up to a fifth higher. */
  readonly outliers?: number;
}

function ladder(law: Parameters<typeof lossOf>[0], seed: number, count: number, noise: Noise = {}): ScalingPoint[] {
  const random = new Random(seed, 99);
  return Array.from({ length: count }, () => {
    const parameters = 10 ** (7.5 + 2.5 * random.uniform());
    const tokens = parameters * 10 ** (0.3 + 1.7 * random.uniform());
    const factor = Math.exp((noise.deviation ?? 0) * random.normal());
    const outlier = random.uniform() < (noise.outliers ?? 0) ? 1 + 0.2 * random.uniform() : 1;
    return { parameters, tokens, loss: lossOf(law, parameters, tokens) * factor * outlier };
  });
}

const inside = (value: number, [low, high]: readonly [number, number]) => value >= low && value <= high;

describe("a fit", () => {
  it.each([replicated, kaplan])("finds the constants of exact points: $form", (law) => {
    const fitted = fitLaw(ladder(law, 1, 40), { form: law.form, bootstrap: 20 });
    for (const [name, value] of Object.entries(law.constants)) {
      expect(fitted.constants[name] / value, name).toBeCloseTo(1, 4);
      expect(inside(value, fitted.intervals[name]), `${name} in ${fitted.intervals[name]}`).toBe(true);
    }
  });

  it("finds Chinchilla's published constants from points of the law with four digits", () => {
    const published = {
      form: "chinchilla" as const,
      constants: { E: 1.69, A: 406.4, B: 410.7, alpha: 0.34, beta: 0.28 },
    };
    const points = ladder(published, 5, 100).map((one) => ({ ...one, loss: Number(one.loss.toPrecision(5)) }));
    const fitted = fitLaw(points, { bootstrap: 100 });
    for (const [name, value] of Object.entries(published.constants)) {
      expect(Math.abs(fitted.constants[name] / value - 1), name).toBeLessThan(0.02);
      expect(inside(value, fitted.intervals[name]), name).toBe(true);
    }
  });

  it("holds all constants inside its intervals for at least 90 of 100 seeds", () => {
    let held = 0;
    for (let seed = 0; seed < 100; seed++) {
      const fitted = fitLaw(ladder(replicated, seed, 30, { deviation: 0.004 }), { seed, bootstrap: 80 });
      const all = Object.entries(replicated.constants).every(([name, one]) => inside(one, fitted.intervals[name]));
      if (all) held++;
    }
    expect(held).toBeGreaterThanOrEqual(90);
  });

  it("is not moved by one run in ten that ended badly", () => {
    const fitted = fitLaw(ladder(replicated, 3, 80, { deviation: 0.002, outliers: 0.1 }), { bootstrap: 60 });
    for (const name of ["E", "alpha", "beta"] as const) {
      expect(Math.abs(fitted.constants[name] / replicated.constants[name] - 1), name).toBeLessThan(0.05);
    }
  });

  it("gives the same numbers for the same seed", () => {
    const points = ladder(replicated, 8, 30, { deviation: 0.01 });
    expect(fitLaw(points, { bootstrap: 30 })).toEqual(fitLaw(points, { bootstrap: 30 }));
  });

  it("refuses points that decide nothing", () => {
    const points = ladder(replicated, 1, 20);
    expect(() => fitLaw(points.slice(0, 4))).toThrow(/4 points are too few/);
    expect(() => fitLaw(points.map((one) => ({ ...one, tokens: 1e9 })))).toThrow(
      /same number of tokens \(1000000000\)/,
    );
    const rising = points.map(({ parameters, tokens }) => ({
      parameters,
      tokens,
      loss: Math.log(parameters * tokens),
    }));
    expect(() => fitLaw(rising)).toThrow(/does not fall/);
  });
});

describe("the best size", () => {
  it("is the closed form of the Chinchilla law", () => {
    const { A, B, alpha, beta } = replicated.constants;
    const best = optimumForCompute(replicated, 5.76e23);
    const ratio = ((alpha * A) / (beta * B)) ** (1 / (alpha + beta));
    expect(best.parameters / (ratio * (5.76e23 / 6) ** (beta / (alpha + beta)))).toBeCloseTo(1, 4);
    expect(flopsOf(best) / 5.76e23).toBeCloseTo(1, 9);
    expect(best.tokensPerParameter).toBeGreaterThan(15);
    expect(best.tokensPerParameter).toBeLessThan(30);
  });

  it("is smaller and cheaper in all when the model serves many tokens", () => {
    const best = optimumForCompute(replicated, 1e22);
    const served = 1e13;
    const cheapest = optimumForInference(replicated, best.loss, served);
    const cost = (one: typeof best) => one.trainingFlops + 2 * one.parameters * served;
    expect(cheapest.loss).toBeCloseTo(best.loss, 8);
    expect(cheapest.parameters).toBeLessThan(0.7 * best.parameters);
    expect(cost(cheapest)).toBeLessThan(cost(best));
    expect(optimumForInference(replicated, best.loss, 1).parameters / best.parameters).toBeCloseTo(1, 2);
    expect(() => optimumForInference(replicated, 1.8, 1)).toThrow(/below what this law can reach/);
  });

  it("counts repeated tokens as worth less, four epochs as nearly new", () => {
    expect(effectiveTokens(1e9, 1e9)).toBe(1e9);
    expect(effectiveTokens(4e9, 1e9) / 4e9).toBeGreaterThan(0.9);
    expect(effectiveTokens(1e12, 1e9)).toBeLessThan(17e9);
    const best = optimumForCompute(replicated, 1e21);
    const plenty = optimumForLimitedData(replicated, 1e21, best.tokens * 10);
    expect(plenty.loss).toBeCloseTo(best.loss, 6);
    const scarce = optimumForLimitedData(replicated, 1e21, best.tokens / 20);
    expect(scarce.loss).toBeGreaterThan(best.loss);
    expect(scarce.epochs).toBeGreaterThan(4);
  });
});

describe("IsoFLOP profiles", () => {
  it("find the best size of each budget and how it grows", () => {
    const points = [1e18, 1e19, 1e20].flatMap((flops) => {
      const { parameters: best } = optimumForCompute(replicated, flops);
      return [0.4, 0.7, 1, 1.4, 2.5].map((share) => {
        const parameters = best * share;
        const tokens = flops / (6 * parameters);
        return { parameters, tokens, loss: lossOf(replicated, parameters, tokens) };
      });
    });
    const { profiles, parameterExponent } = isoFlopProfiles(points);
    expect(profiles).toHaveLength(3);
    for (const { flops, optimum } of profiles) {
      expect(Math.abs(optimum!.parameters / optimumForCompute(replicated, flops).parameters - 1)).toBeLessThan(0.1);
    }
    const { alpha, beta } = replicated.constants;
    expect(parameterExponent).toBeCloseTo(beta / (alpha + beta), 2);
  });

  it("say where a budget has no lowest point", () => {
    const points = [1e7, 2e7, 4e7].map((parameters) => ({
      parameters,
      tokens: 1e17 / parameters,
      loss: 1e7 / parameters,
    }));
    expect(isoFlopProfiles(points).profiles[0].optimum).toBeUndefined();
  });
});

describe("a forecast", () => {
  const law = fitLaw(ladder(replicated, 2, 60, { deviation: 0.002 }), { bootstrap: 100 });

  it("holds the true loss inside its interval and warns when it reaches far", () => {
    const near = forecast(law, 1e9, 2e10);
    expect(inside(lossOf(replicated, 1e9, 2e10), near.interval)).toBe(true);
    expect(near.warnings).toEqual([]);
    const far = forecast(law, 1e11, 5e12);
    expect(far.warnings.join()).toMatch(/times the largest fitted budget/);
    expect(inside(lossOf(replicated, 1e11, 5e12), far.interval)).toBe(true);
  });

  it("refuses what lies a thousand times beyond, unless forced", () => {
    expect(() => forecast(law, 1e12, 2e13)).toThrow(/it means nothing/);
    expect(forecast(law, 1e12, 2e13, { force: true }).extrapolation).toBeGreaterThan(1000);
  });
});
