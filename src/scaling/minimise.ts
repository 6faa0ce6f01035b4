/** Minima of smooth functions of a few variables: L-BFGS, and golden section for one. */

/** Fills `gradient` at `x` and returns the value. */
export type Differentiable = (x: Float64Array, gradient: Float64Array) => number;

/** Where a search ended. */
export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
}

const history = 10; // pairs of steps and gradient changes kept
const sufficientDecrease = 1e-4;
const curvature = 0.9;

/**
 * L-BFGS (Nocedal & Wright 2006, algorithm 7.4) with a bracketing line search for the weak Wolfe conditions. Stops when no
 * component of the gradient exceeds `tolerance`, when no step lowers the value, or after `iterations`.
 */
export function minimise(
  f: Differentiable,
  start: Float64Array,
  options: { iterations?: number; tolerance?: number } = {},
): Minimum {
  const { iterations: limit = 500, tolerance = 1e-10 } = options;
  const length = start.length;
  let x: Float64Array = start.slice();
  let gradient: Float64Array = new Float64Array(length);
  let value = f(x, gradient);
  const pairs: { step: Float64Array; change: Float64Array; inverse: number }[] = [];
  let iterations = 0;
  for (; iterations < limit && Number.isFinite(value); iterations++) {
    if (gradient.every((one) => Math.abs(one) <= tolerance)) break;
    let direction = descent(gradient, pairs);
    let slope = dot(direction, gradient);
    if (!(slope < 0)) {
      pairs.length = 0;
      direction = gradient.map((one) => -one);
      slope = -dot(gradient, gradient);
    }
    const first = pairs.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
    const next = lineSearch(f, x, value, direction, slope, first);
    if (next === undefined) {
      if (pairs.length === 0) break;
      pairs.length = 0;
      continue;
    }
    const step = next.x.map((one, i) => one - x[i]);
    const change = next.gradient.map((one, i) => one - gradient[i]);
    const product = dot(step, change);
    if (product > 1e-14 * Math.sqrt(dot(step, step) * dot(change, change))) {
      pairs.push({ step, change, inverse: 1 / product });
      if (pairs.length > history) pairs.shift();
    }
    ({ x, value, gradient } = next);
  }
  return { x, value, iterations };
}

/** −H⁻¹ · gradient by the two-loop recursion. */
function descent(
  gradient: Float64Array,
  pairs: readonly { step: Float64Array; change: Float64Array; inverse: number }[],
) {
  const direction = gradient.map((one) => -one);
  const weights: number[] = [];
  for (let k = pairs.length - 1; k >= 0; k--) {
    weights[k] = pairs[k].inverse * dot(pairs[k].step, direction);
    for (let i = 0; i < direction.length; i++) direction[i] -= weights[k] * pairs[k].change[i];
  }
  const last = pairs.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.inverse * dot(last.change, last.change));
    for (let i = 0; i < direction.length; i++) direction[i] *= scale;
  }
  pairs.forEach(({ step, change, inverse }, k) => {
    const weight = weights[k] - inverse * dot(change, direction);
    for (let i = 0; i < direction.length; i++) direction[i] += weight * step[i];
  });
  return direction;
}

function lineSearch(
  f: Differentiable,
  x: Float64Array,
  value: number,
  direction: Float64Array,
  slope: number,
  first: number,
): { x: Float64Array; value: number; gradient: Float64Array } | undefined {
  let [low, high, size] = [0, Number.POSITIVE_INFINITY, first];
  let best: { x: Float64Array; value: number; gradient: Float64Array } | undefined;
  for (let trial = 0; trial < 50; trial++) {
    const at = x.map((one, i) => one + size * direction[i]);
    const gradient = new Float64Array(x.length);
    const there = f(at, gradient);
    if (!(there <= value + sufficientDecrease * size * slope)) high = size;
    else {
      best = { x: at, value: there, gradient };
      if (dot(gradient, direction) >= curvature * slope) return best;
      low = size;
    }
    size = high === Number.POSITIVE_INFINITY ? 2 * size : (low + high) / 2;
    if (high - low < 1e-14 * high) break;
  }
  return best !== undefined && best.value < value ? best : undefined;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The minimum of a function with one valley between `low` and `high`, to a relative 1e-10 of the interval. */
export function minimiseBetween(low: number, high: number, f: (x: number) => number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [low, high];
  let [c, d] = [b - ratio * (b - a), a + ratio * (b - a)];
  let [atC, atD] = [f(c), f(d)];
  while (b - a > 1e-10 * (high - low)) {
    if (atC < atD) {
      [b, d, atD] = [d, c, atC];
      c = b - ratio * (b - a);
      atC = f(c);
    } else {
      [a, c, atC] = [c, d, atD];
      d = a + ratio * (b - a);
      atD = f(d);
    }
  }
  return (a + b) / 2;
}
