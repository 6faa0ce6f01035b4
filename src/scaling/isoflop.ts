/** IsoFLOP profiles (Hoffmann et al. 2022, approach 2): for each budget a parabola in log size, its lowest point the best size. */
import { flopsOf, type ScalingPoint } from "./points.ts";

/** One budget. `curvature` > 0 means that the points enclose a lowest one. */
export interface IsoFlopProfile {
  readonly flops: number;
  readonly points: number;
  /** The best size and its loss; absent where the parabola has no lowest point within the sizes trained. */
  readonly optimum?: { readonly parameters: number; readonly tokens: number; readonly loss: number };
}

/** The profiles, and N = k · C^exponent through their optima where there are at least two. */
export interface IsoFlopFit {
  readonly profiles: readonly IsoFlopProfile[];
  readonly parameterExponent?: number;
  readonly tokenExponent?: number;
}

const sameBudget = 1.05; // budgets this near, as a ratio, are one

/** Profiles of all budgets that at least three models share; none where the points do not lie on common budgets. */
export function isoFlopProfiles(points: readonly ScalingPoint[]): IsoFlopFit {
  const sorted = [...points].sort((one, other) => flopsOf(one) - flopsOf(other));
  const groups: ScalingPoint[][] = [];
  for (const point of sorted) {
    const group = groups.at(-1);
    if (group !== undefined && flopsOf(point) <= flopsOf(group[0]) * sameBudget) group.push(point);
    else groups.push([point]);
  }
  const profiles = groups
    .filter((group) => new Set(group.map(({ parameters }) => parameters)).size >= 3)
    .map(profileOf);
  const optima = profiles.flatMap(({ flops, optimum }) => (optimum === undefined ? [] : [{ flops, ...optimum }]));
  if (optima.length < 2) return { profiles };
  const logC = optima.map(({ flops }) => Math.log(flops));
  const slope = (values: number[]) => slopeOf(logC, values.map(Math.log));
  return {
    profiles,
    parameterExponent: slope(optima.map(({ parameters }) => parameters)),
    tokenExponent: slope(optima.map(({ tokens }) => tokens)),
  };
}

function profileOf(group: readonly ScalingPoint[]): IsoFlopProfile {
  const flops = Math.exp(group.reduce((sum, one) => sum + Math.log(flopsOf(one)), 0) / group.length);
  const logN = group.map(({ parameters }) => Math.log(parameters));
  const [c, b, a] = parabola(
    logN,
    group.map(({ loss }) => loss),
  );
  const lowest = -b / (2 * a);
  const inside = a > 0 && lowest >= Math.min(...logN) && lowest <= Math.max(...logN);
  if (!inside) return { flops, points: group.length };
  const parameters = Math.exp(lowest);
  const optimum = { parameters, tokens: flops / (6 * parameters), loss: c - (b * b) / (4 * a) };
  return { flops, points: group.length, optimum };
}

/** Least squares c + b·x + a·x², solved about the mean of x so that the sums stay well-conditioned. */
function parabola(x: readonly number[], y: readonly number[]): [number, number, number] {
  const mean = x.reduce((sum, one) => sum + one, 0) / x.length;
  const powers = [0, 1, 2, 3, 4].map((power) => x.reduce((sum, one) => sum + (one - mean) ** power, 0));
  const rows = [0, 1, 2].map((row) => [
    ...[0, 1, 2].map((column) => powers[row + column]),
    x.reduce((sum, one, i) => sum + (one - mean) ** row * y[i], 0),
  ]);
  for (let pivot = 0; pivot < 3; pivot++)
    for (let row = 0; row < 3; row++) {
      if (row === pivot) continue;
      const factor = rows[row][pivot] / rows[pivot][pivot];
      for (let column = pivot; column < 4; column++) rows[row][column] -= factor * rows[pivot][column];
    }
  const [c, b, a] = rows.map((row, i) => row[3] / row[i]);
  return [c - b * mean + a * mean * mean, b - 2 * a * mean, a];
}

function slopeOf(x: readonly number[], y: readonly number[]): number {
  const [meanX, meanY] = [x, y].map((values) => values.reduce((sum, one) => sum + one, 0) / values.length);
  const covariance = x.reduce((sum, one, i) => sum + (one - meanX) * (y[i] - meanY), 0);
  return covariance / x.reduce((sum, one) => sum + (one - meanX) ** 2, 0);
}
