/** Two checkpoints on the same questions: is the difference more than chance? */
import { bootstrapMean, type Estimate } from "../foundation/index.ts";

/** A comparison of paired results. */
export interface PairedComparison {
  /** Mean of second − first, with its 95 % bootstrap interval. */
  readonly difference: Estimate;
  /** Questions that only the first, or only the second, answers rightly. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Exact two-sided McNemar test: the probability of so uneven a split if neither were better. */
  readonly pValue: number;
}

/** Compares right (1) and wrong (0) answers to the same questions, in the same order. */
export function comparePaired(first: readonly number[], second: readonly number[], seed = 1): PairedComparison {
  if (first.length !== second.length)
    throw new RangeError(`${first.length} results cannot be paired with ${second.length}`);
  const onlyFirst = first.filter((one, i) => one > second[i]).length;
  const onlySecond = first.filter((one, i) => one < second[i]).length;
  const difference = bootstrapMean(
    first.map((one, i) => second[i] - one),
    seed,
  );
  return {
    difference,
    onlyFirst,
    onlySecond,
    pValue: binomialTwoSided(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond),
  };
}

/** Twice the chance of at most `successes` heads in `trials` tosses of a fair coin, at most 1. */
function binomialTwoSided(successes: number, trials: number): number {
  let logTerm = -trials * Math.LN2; // log of C(trials, 0) / 2^trials
  let tail = 0;
  for (let k = 0; k <= successes; k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((trials - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}
