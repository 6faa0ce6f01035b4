/** Precision, recall, F1 and area under the ROC curve, each with a 95 % bootstrap interval. */
import { bootstrap } from "../../foundation/index.ts";
import type { ClassifierEvaluation } from "./model.ts";

/** How well `scores` tell the positives from the rest; at the threshold, and over all of them (AUC). */
export function evaluateScores(
  scores: readonly number[],
  positive: readonly boolean[],
  options: { readonly threshold?: number; readonly seed?: number } = {},
): ClassifierEvaluation {
  const threshold = options.threshold ?? 0.5;
  // Sorted once: a resample is then a count for each position, and its AUC needs no sorting.
  const order = scores.map((_, index) => index).sort((a, b) => scores[a] - scores[b] || a - b);
  const sorted = order.map((index) => ({ score: scores[index], positive: positive[index] }));
  const estimates = bootstrap([sorted.length], ([counts]) => measure(sorted, counts, threshold), options.seed);
  const interval = (name: keyof Measures) => {
    const { value, interval } = estimates[name];
    return { value, low: interval[0], high: interval[1] };
  };
  const positives = positive.filter(Boolean).length;
  return {
    positives,
    negatives: positive.length - positives,
    threshold,
    precision: interval("precision"),
    recall: interval("recall"),
    f1: interval("f1"),
    auc: interval("auc"),
  };
}

type Measures = {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly auc: number;
};

/** The measures of examples sorted by score, each occurring `counts` times. What is undefined counts as 0. */
function measure(
  sorted: readonly { readonly score: number; readonly positive: boolean }[],
  counts: Uint32Array,
  threshold: number,
): Measures {
  let [truePositives, falsePositives, positives, negatives] = [0, 0, 0, 0];
  /** Pairs of a negative and a positive in the right order; equal scores are half a pair. */
  let pairs = 0;
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    let [positivesHere, negativesHere] = [0, 0];
    while (to < sorted.length && sorted[to].score === sorted[from].score) {
      if (sorted[to].positive) positivesHere += counts[to];
      else negativesHere += counts[to];
      to++;
    }
    if (sorted[from].score >= threshold) {
      truePositives += positivesHere;
      falsePositives += negativesHere;
    }
    pairs += positivesHere * (negatives + negativesHere / 2);
    positives += positivesHere;
    negatives += negativesHere;
    from = to;
  }
  const ratio = (part: number, all: number) => (all === 0 ? 0 : part / all);
  return {
    precision: ratio(truePositives, truePositives + falsePositives),
    recall: ratio(truePositives, positives),
    f1: ratio(2 * truePositives, truePositives + falsePositives + positives),
    auc: ratio(pairs, positives * negatives),
  };
}
