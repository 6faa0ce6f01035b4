/** What a guard is: one figure of an adaptation, held against a limit. */

/** Figures that guards look at. What a method cannot measure is absent. */
export interface AdaptationFigures {
  /** Mean loss of training examples, measured without dropout, and of held-out ones, in nats. */
  readonly trainLoss?: number;
  readonly validationLoss?: number;
  /** The lowest validation loss so far. */
  readonly bestValidationLoss?: number;
  /** Loss on general text in nats a token, before and now. */
  readonly generalLossBefore?: number;
  readonly generalLoss?: number;
  /** Share of the classes with five held-out examples that are never predicted. */
  readonly neverPredictedShare?: number;
  /** The largest difference of accuracy between two groups whose 95 % intervals do not touch; 0 where none differ. */
  readonly groupGap?: number;
  /** KL(model ‖ reference) in nats a token, on what the model itself writes. */
  readonly divergence?: number;
  /** Held-out pairs whose chosen response gets the higher implicit reward: the upper end of the 95 % interval. */
  readonly preferenceAccuracyUpper?: number;
  /** Spearman's correlation of implicit reward and length over held-out responses. */
  readonly rewardLengthCorrelation?: number;
  /** Median length of what the model writes, over that of the reference. */
  readonly lengthRatio?: number;
  /** Share of prompts to refuse that are refused, by the reference and now. */
  readonly refusalRateBefore?: number;
  readonly refusalRate?: number;
  /** Mean probability of refusing rather than complying, on the same prompts. */
  readonly refusalPreferenceBefore?: number;
  readonly refusalPreference?: number;
  /** Share of written texts with a profane word, by the reference and now. */
  readonly toxicityBefore?: number;
  readonly toxicity?: number;
  /** Share of distinct bigrams in what is written, by the reference and now. */
  readonly diversityBefore?: number;
  readonly diversity?: number;
}

/** A guard as the registry holds it. It trips where its value is above the limit. */
export interface GuardDefinition {
  readonly name: string;
  /** One line for people: what is measured. */
  readonly summary: string;
  /** The risk that it watches. */
  readonly risk: string;
  /** In what the limit is. */
  readonly unit: string;
  readonly limit: number;
  /** The value held against the limit; undefined where the figures for it are not there. */
  value(figures: AdaptationFigures): number | undefined;
}

/** What a guard said. */
export interface GuardResult {
  readonly name: string;
  readonly value: number | null;
  readonly limit: number;
  readonly unit: string;
  readonly verdict: "passed" | "tripped" | "not measured";
  readonly action: "warn" | "stop";
  /** The step that it was measured at. */
  readonly step: number;
}
