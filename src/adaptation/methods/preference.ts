/** Preference tuning: DPO and its relatives, with rewards, lengths and behaviour watched. */
import type { Engine, ParameterArena } from "../../engine/index.ts";
import { bootstrapMean, type Estimate } from "../../foundation/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import { type AdaptationFigures, type GuardResult, worst } from "../guards/index.ts";
import { type LoopHooks, type LoopResult, runAdaptation } from "../loop.ts";
import {
  type PreferenceFigures,
  type PreferenceSettings,
  preferenceFigures,
  preferenceGradients,
  type TokenPair,
} from "../preference/index.ts";
import type { Trade } from "../report.ts";
import type { AdaptationSettings } from "../settings.ts";
import { lossTrade, type Watched, watch } from "./watched.ts";

/** Pairs with what the reference says of them. */
export interface PreferencePart {
  readonly pairs: readonly TokenPair[];
  readonly reference: Float64Array;
}

export interface PreferenceInput {
  readonly arenas: readonly ParameterArena[];
  readonly train: PreferencePart;
  readonly validation: PreferencePart;
  readonly preference: PreferenceSettings;
  readonly watched: Watched;
  readonly settings: AdaptationSettings;
  readonly dropout: (key: number | undefined) => void;
}

/** What came of it; the model holds the best weights. */
export interface PreferenceResult {
  readonly loop: LoopResult;
  readonly guards: readonly GuardResult[];
  readonly trade: readonly Trade[];
  /** Held-out pairs whose chosen response has the higher implicit reward. */
  readonly accuracy: Estimate;
}

/** Pairs of one forward and backward pass, and training pairs that are measured. */
const [together, probed] = [4, 64];

export async function adaptToPreferences(
  engine: Engine,
  model: LanguageModel,
  { arenas, train, validation, preference, watched, settings, dropout }: PreferenceInput,
  hooks: LoopHooks,
): Promise<PreferenceResult> {
  const partOf = (part: PreferencePart, indices: readonly number[]): PreferencePart => ({
    pairs: indices.map((index) => part.pairs[index]),
    reference: Float64Array.from(
      indices.flatMap((index) => [part.reference[2 * index], part.reference[2 * index + 1]]),
    ),
  });
  const measure = ({ pairs, reference }: PreferencePart) => {
    dropout(undefined);
    return preferenceFigures(engine, model, pairs, reference, preference);
  };
  const probe = partOf(train, [...train.pairs.slice(0, probed).keys()]);
  const beside = await watch(watched);
  const task = {
    examples: train.pairs.length,
    async gradients(indices: readonly number[], key: number) {
      dropout(key);
      let loss = 0;
      for (let first = 0; first < indices.length; first += together) {
        const some = indices.slice(first, first + together);
        const { pairs, reference } = partOf(train, some);
        // The step's mean is over all its pairs: each part counts by its share.
        const share = some.length / indices.length;
        loss += await preferenceGradients(engine, model, pairs, reference, preference, { share, dropoutKey: key });
      }
      return loss;
    },
    async validate() {
      const held = await measure(validation);
      return {
        trainLoss: (await measure(probe)).loss,
        validationLoss: held.loss,
        ...rewardFigures(held),
        ...(await beside.figures()),
      };
    },
  };
  const loop = await runAdaptation(engine, arenas, task, settings, hooks);
  const held = await measure(validation);
  const first = loop.curve[0];
  const best = loop.curve.find(({ step }) => step === loop.bestStep)!;
  const accuracy = bootstrapMean(held.isRight.map(Number));
  return {
    loop,
    accuracy,
    guards: worst(loop.guards),
    trade: [
      { name: "held-out preference accuracy", unit: "share", before: 0.5, after: accuracy.value, better: "higher" },
      ...lossTrade(first, best),
      {
        ...{ name: "reward against length", unit: "rank correlation", before: 0 },
        ...{ after: rankCorrelation(held.rewards, held.lengths), better: "near before" },
      },
      ...(await beside.trade()),
    ],
  };
}

function rewardFigures({ isRight, rewards, lengths }: PreferenceFigures): AdaptationFigures {
  return {
    preferenceAccuracyUpper: bootstrapMean(isRight.map(Number)).interval[1],
    rewardLengthCorrelation: rankCorrelation(rewards, lengths),
  };
}

/** Spearman's rank correlation, ties by their mean rank; 0 where one side does not vary. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranksOf(a), ranksOf(b)];
  const middle = (a.length + 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    xy += (x[i] - middle) * (y[i] - middle);
    xx += (x[i] - middle) ** 2;
    yy += (y[i] - middle) ** 2;
  }
  return xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}

function ranksOf(values: readonly number[]): number[] {
  const order = [...values.keys()].sort((a, b) => values[a] - values[b]);
  const ranks = new Array<number>(values.length);
  for (let first = 0; first < order.length; ) {
    let end = first;
    while (end < order.length && values[order[end]] === values[order[first]]) end += 1;
    for (let i = first; i < end; i++) ranks[order[i]] = (first + 1 + end) / 2;
    first = end;
  }
  return ranks;
}
