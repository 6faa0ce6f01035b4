/** Linear probe (Alain & Bengio 2017): multinomial logistic regression on standardised features. */
import { type LabelledFeatures, type ProbeResult, requireFeatures, resultOf } from "./features.ts";

/** How the regression is fitted; the same settings and data give the same bits. */
export interface LinearProbeSettings {
  /** Passes over all examples. */
  readonly iterations?: number;
  /** Weight of half the squared norm of the weights, beside the mean loss. */
  readonly decay?: number;
}

/** Fits on `train` by full-batch gradient descent with Adam's step (Kingma & Ba 2015) and classifies `test`. */
export function linearProbe(
  train: LabelledFeatures,
  test: LabelledFeatures,
  { iterations = 200, decay = 1e-3 }: LinearProbeSettings = {},
): ProbeResult {
  requireFeatures("linearProbe: train", train);
  requireFeatures("linearProbe: test", test);
  const { width } = train;
  const classes = Math.max(...train.labels, ...test.labels) + 1;
  const scaling = scalingOf(train);
  const [fit, held] = [scaled(train, scaling), scaled(test, scaling)];
  const stride = width + 1;
  const weights = new Float64Array(classes * stride);
  const [first, second] = [new Float64Array(weights.length), new Float64Array(weights.length)];
  const [rate, beta1, beta2] = [0.02, 0.9, 0.999];
  for (let step = 1; step <= iterations; step++) {
    const gradient = gradientOf(fit, train.labels, width, weights, classes);
    for (let i = 0; i < weights.length; i++) {
      const g = gradient[i] + (i % stride === width ? 0 : decay * weights[i]);
      first[i] = beta1 * first[i] + (1 - beta1) * g;
      second[i] = beta2 * second[i] + (1 - beta2) * g * g;
      const [mean, square] = [first[i] / (1 - beta1 ** step), second[i] / (1 - beta2 ** step)];
      weights[i] -= (rate * mean) / (Math.sqrt(square) + 1e-8);
    }
  }
  const scores = new Float64Array(classes);
  const predictions = Int32Array.from(test.labels, (_, row) => {
    score(held, row, width, weights, scores);
    return scores.indexOf(Math.max(...scores));
  });
  return resultOf(predictions, test.labels);
}

function gradientOf(x: Float32Array, labels: Int32Array, width: number, weights: Float64Array, classes: number) {
  const gradient = new Float64Array(weights.length);
  const scores = new Float64Array(classes);
  for (let row = 0; row < labels.length; row++) {
    score(x, row, width, weights, scores);
    const highest = Math.max(...scores);
    let total = 0;
    for (let c = 0; c < classes; c++) total += scores[c] = Math.exp(scores[c] - highest);
    for (let c = 0; c < classes; c++) {
      const change = (scores[c] / total - Number(c === labels[row])) / labels.length;
      const at = c * (width + 1);
      for (let i = 0; i < width; i++) gradient[at + i] += change * x[row * width + i];
      gradient[at + width] += change;
    }
  }
  return gradient;
}

function score(x: Float32Array, row: number, width: number, weights: Float64Array, scores: Float64Array): void {
  for (let c = 0; c < scores.length; c++) {
    const at = c * (width + 1);
    let sum = weights[at + width];
    for (let i = 0; i < width; i++) sum += weights[at + i] * x[row * width + i];
    scores[c] = sum;
  }
}

/** Mean of every feature, and one over its deviation; 0 where it is the same in all examples. */
function scalingOf({ features, width, labels }: LabelledFeatures) {
  const [mean, inverse] = [new Float64Array(width), new Float64Array(width)];
  for (let i = 0; i < features.length; i++) mean[i % width] += features[i] / labels.length;
  for (let i = 0; i < features.length; i++) inverse[i % width] += (features[i] - mean[i % width]) ** 2 / labels.length;
  for (let i = 0; i < width; i++) inverse[i] = inverse[i] > 1e-12 ? 1 / Math.sqrt(inverse[i]) : 0;
  return { mean, inverse };
}

function scaled({ features, width }: LabelledFeatures, { mean, inverse }: ReturnType<typeof scalingOf>): Float32Array {
  return features.map((value, i) => (value - mean[i % width]) * inverse[i % width]);
}
