/**
 * Fits a scaling law as Hoffmann et al. (2022) do: a Huber loss on the log of the loss, L-BFGS from a grid of starts. The
 * intervals come from a bootstrap over the points (Besiroglu et al. 2024 show that the paper's own were too narrow).
 */
import { quantile, Random, TilthError } from "../foundation/index.ts";
import { type FormName, formNamed, type LawForm } from "./forms.ts";
import { type Differentiable, minimise } from "./minimise.ts";
import { flopsOf, type ScalingPoint } from "./points.ts";

export interface FitOptions {
  readonly form?: FormName;
  /** Where the Huber loss on log loss turns from squares to absolute values. */
  readonly huberDelta?: number;
  /** Resamples; the intervals need some hundreds. */
  readonly bootstrap?: number;
  readonly seed?: number;
  /** Told after every resample. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A fitted law. Losses are in nats a token. */
export interface FittedLaw {
  readonly form: FormName;
  /** By the names of the form, e.g. E, A, B, alpha, beta. */
  readonly constants: Readonly<Record<string, number>>;
  /** For each constant [low, high]: together they hold all true constants with probability `intervalLevel`. */
  readonly intervals: Readonly<Record<string, readonly [number, number]>>;
  readonly intervalLevel: number;
  /** Constants of the bootstrap's resamples, in the form's order: what forecasts draw their intervals from. */
  readonly resamples: readonly (readonly number[])[];
  readonly points: number;
  /** Root mean square of log(loss) − log(predicted), outliers included; and the median of its absolute value. */
  readonly rootMeanSquareError: number;
  readonly medianAbsoluteError: number;
  /** What the points cover: forecasts far outside are refused. */
  readonly range: Readonly<Record<"parameters" | "tokens" | "flops" | "loss", readonly [number, number]>>;
}

const intervalLevel = 0.95;

/**
 * The law of that form nearest to the points. Throws TilthError where there are too few points, where they do not vary in
 * both size and tokens, or where no falling law describes them.
 */
export function fitLaw(points: readonly ScalingPoint[], options: FitOptions = {}): FittedLaw {
  const { form: name = "chinchilla", huberDelta = 1e-3, bootstrap = 400, seed = 1, onProgress } = options;
  const form = formNamed(name);
  requireEnough(points, form);
  const [x, meanLogN] = centred(points.map(({ parameters }) => parameters));
  const [y, meanLogD] = centred(points.map(({ tokens }) => tokens));
  const logLosses = points.map(({ loss }) => Math.log(loss));
  const data: LogPoints = { x, y, logLosses, weights: new Float64Array(points.length).fill(1) };
  const best = search(form, data, huberDelta);
  const constants = form.constants(best, meanLogN, meanLogD);

  const random = new Random(seed, 0x5ca1e);
  const resamples: number[][] = [];
  for (let done = 0; done < bootstrap; done++) {
    const weights = new Float64Array(points.length);
    for (let draw = 0; draw < points.length; draw++) weights[random.below(points.length)]++;
    const { x: theta } = minimise(objective(form, { ...data, weights }, huberDelta), best, { iterations: 200 });
    // A resample may lose the points that decide an exponent: such a draw says nothing and is left out.
    if (form.plausible(theta)) resamples.push(form.constants(theta, meanLogN, meanLogD));
    onProgress?.(done + 1, bootstrap);
  }
  const names = form.constantNames;
  const named = <Value>(values: readonly Value[]) => Object.fromEntries(names.map((one, i) => [one, values[i]]));
  const errors = points.map((point) => Math.log(point.loss / form.loss(constants, point.parameters, point.tokens)));
  return {
    form: name,
    constants: named(constants),
    intervals: named(simultaneousIntervals(form, constants, resamples, points.length)),
    intervalLevel,
    resamples,
    points: points.length,
    rootMeanSquareError: Math.sqrt(errors.reduce((sum, one) => sum + one * one, 0) / errors.length),
    medianAbsoluteError: quantile(errors.map(Math.abs), 0.5),
    range: {
      parameters: extent(points.map(({ parameters }) => parameters)),
      tokens: extent(points.map(({ tokens }) => tokens)),
      flops: extent(points.map(flopsOf)),
      loss: extent(points.map(({ loss }) => loss)),
    },
  };
}

/** The law's loss in nats a token at a size and a number of tokens. */
export function lossOf(
  { form, constants }: Pick<FittedLaw, "form" | "constants">,
  parameters: number,
  tokens: number,
): number {
  const { constantNames, loss } = formNamed(form);
  return loss(
    constantNames.map((name) => constants[name]),
    parameters,
    tokens,
  );
}

interface LogPoints {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly logLosses: readonly number[];
  /** How often each point counts. */
  readonly weights: Float64Array;
}

/** Mean Huber loss of log loss over the points; scaled by 1/δ² so that the search's tolerances fit. */
function objective(form: LawForm, { x, y, logLosses, weights }: LogPoints, delta: number): Differentiable {
  const slopes = new Float64Array(form.constantNames.length);
  const total = weights.reduce((sum, one) => sum + one, 0);
  return (theta, gradient) => {
    gradient.fill(0);
    let sum = 0;
    for (let i = 0; i < logLosses.length; i++) {
      if (weights[i] === 0) continue;
      const scaled = (form.logLoss(theta, x[i], y[i], slopes) - logLosses[i]) / delta;
      const size = Math.abs(scaled);
      sum += weights[i] * (size <= 1 ? 0.5 * scaled * scaled : size - 0.5);
      const pull = (weights[i] * (size <= 1 ? scaled : Math.sign(scaled))) / (delta * total);
      for (let k = 0; k < slopes.length; k++) gradient[k] += pull * slopes[k];
    }
    return sum / total;
  };
}

/** A short search from every start, a long one from the best few, first with a wide Huber loss, which has fewer valleys. */
function search(form: LawForm, data: LogPoints, delta: number): Float64Array {
  const wide = objective(form, data, Math.max(delta, 0.03));
  const exact = objective(form, data, delta);
  const candidates = form
    .starts(data.logLosses)
    .map((start) => minimise(wide, start, { iterations: 40 }))
    .filter(({ value }) => Number.isFinite(value))
    .sort((one, other) => one.value - other.value)
    .slice(0, 8)
    .map(({ x }) => minimise(exact, minimise(wide, x).x, { iterations: 2000, tolerance: 1e-9 }))
    .filter(({ x }) => form.plausible(x))
    .sort((one, other) => one.value - other.value);
  if (candidates.length === 0) {
    throw new TilthError("no scaling law describes these points: the loss does not fall with both size and tokens", {
      remedy: "Check the columns, and that every loss is one of held-out text at the end of its run.",
    });
  }
  return candidates[0].x;
}

/**
 * Intervals that hold all constants at once: the constants (logarithms where they scale) ± c standard errors, with c the
 * quantile of the largest deviation among them in the resamples, widened for the few degrees of freedom that small ladders leave.
 */
function simultaneousIntervals(
  form: LawForm,
  constants: readonly number[],
  resamples: readonly (readonly number[])[],
  points: number,
): [number, number][] {
  const scale = (value: number, k: number) => (form.logarithmic[k] ? Math.log(value) : value);
  const back = (value: number, k: number) => (form.logarithmic[k] ? Math.exp(value) : value);
  const deviations = constants.map((value, k) => resamples.map((one) => Math.abs(scale(one[k], k) - scale(value, k))));
  // Half of the normal distribution lies within 0.6745 standard deviations: the median is not moved by stray resamples.
  const errors = deviations.map((one) => quantile(one, 0.5) / 0.6745);
  const largest = resamples.map((_, j) =>
    Math.max(...deviations.map((one, k) => (errors[k] > 0 ? one[j] / errors[k] : 0))),
  );
  const freedom = Math.sqrt(points / Math.max(1, points - constants.length));
  const width = quantile(largest, intervalLevel) * freedom;
  return constants.map((value, k) => {
    // Where the points fit exactly, what is left is the search's own precision.
    const half = Math.max(width * errors[k], 1e-6 * Math.max(1, Math.abs(scale(value, k))));
    return [back(scale(value, k) - half, k), back(scale(value, k) + half, k)];
  });
}

function centred(values: readonly number[]): [number[], number] {
  const logs = values.map(Math.log);
  const mean = logs.reduce((sum, one) => sum + one, 0) / logs.length;
  return [logs.map((one) => one - mean), mean];
}

function extent(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

function requireEnough(points: readonly ScalingPoint[], form: LawForm): void {
  const needed = form.constantNames.length + 1;
  if (points.length < needed) {
    throw new TilthError(
      `${points.length} points are too few for the ${form.name} law, which needs at least ${needed}`,
      {
        remedy: "Train more models of different sizes and lengths.",
      },
    );
  }
  for (const quantity of ["parameters", "tokens"] as const) {
    const distinct = new Set(points.map((one) => one[quantity])).size;
    if (distinct >= 2) continue;
    throw new TilthError(
      `all points have the same number of ${quantity} (${points[0][quantity]}): a law needs several`,
      {
        remedy: `Add models with other numbers of ${quantity}.`,
      },
    );
  }
}
