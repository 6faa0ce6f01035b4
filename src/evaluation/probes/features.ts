/** Examples as rows of numbers with their class. */
export interface LabelledFeatures {
  /** [examples, width] */
  readonly features: Float32Array;
  readonly width: number;
  /** Class of each example, from 0. */
  readonly labels: Int32Array;
}

/** What a probe found on examples that it was not fitted to. */
export interface ProbeResult {
  readonly accuracy: number;
  readonly predictions: Int32Array;
}

/** The share of predictions that are right. */
export function resultOf(predictions: Int32Array, labels: Int32Array): ProbeResult {
  return { accuracy: predictions.filter((one, i) => one === labels[i]).length / labels.length, predictions };
}

/** The examples of those rows, in that order. */
export function examplesOf({ features, width, labels }: LabelledFeatures, rows: readonly number[]): LabelledFeatures {
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, index) => void out.set(features.subarray(row * width, (row + 1) * width), index * width));
  return { features: out, width, labels: Int32Array.from(rows, (row) => labels[row]) };
}

/** Throws RangeError unless features and labels belong together. */
export function requireFeatures(what: string, { features, width, labels }: LabelledFeatures): void {
  if (labels.length === 0 || features.length !== labels.length * width) {
    throw new RangeError(`${what}: ${features.length} features of width ${width} for ${labels.length} labels`);
  }
}
