/** Preference training over pairs: rewards, losses, gradients. */
import type { Engine } from "../../engine/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import { accumulateGradients, type Continuation, logProbabilities } from "../log-probabilities.ts";
import { type PreferenceLossName, preferenceLosses } from "./losses.ts";
import type { TokenPair } from "./pairs.ts";

/** How preferences become a loss. */
export interface PreferenceSettings {
  readonly loss: PreferenceLossName;
  /** How strongly the reference holds. */
  readonly beta: number;
}

/** Log-probabilities of both responses of every pair under the reference: chosen 0, rejected 0, chosen 1, … */
export type ReferenceLogProbabilities = Float64Array;

const bothOf = (pairs: readonly TokenPair[]): Continuation[] =>
  pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);

/** What the reference says of all pairs: computed once. */
export function referenceLogProbabilities(
  engine: Engine,
  model: LanguageModel,
  pairs: readonly TokenPair[],
): Promise<ReferenceLogProbabilities> {
  return logProbabilities(engine, model, bothOf(pairs));
}

/** The mean loss and its derivatives by the log-probabilities of both responses of every pair. */
function differentiate(
  pairs: readonly TokenPair[],
  sums: Float64Array,
  reference: Float64Array,
  { loss: name, beta }: PreferenceSettings,
) {
  const derivatives = new Float64Array(sums.length);
  let loss = 0;
  pairs.forEach(({ chosen, rejected }, index) => {
    const value = preferenceLosses[name](
      {
        chosen: sums[2 * index] - reference[2 * index],
        rejected: sums[2 * index + 1] - reference[2 * index + 1],
        chosenTokens: chosen.tokens.length - chosen.from,
        rejectedTokens: rejected.tokens.length - rejected.from,
      },
      beta,
    );
    loss += value.loss / pairs.length;
    derivatives[2 * index] = value.byChosen / pairs.length;
    derivatives[2 * index + 1] = value.byRejected / pairs.length;
  });
  return { loss, derivatives };
}

/** Adds the gradients of the mean loss of those pairs, as a `share` (1 if left out) of a step's; returns what it adds to the loss. */
export function preferenceGradients(
  engine: Engine,
  model: LanguageModel,
  pairs: readonly TokenPair[],
  reference: Float64Array,
  settings: PreferenceSettings,
  { share = 1, dropoutKey }: { readonly share?: number; readonly dropoutKey?: number } = {},
): Promise<number> {
  const scaled = (sums: Float64Array) => {
    const { loss, derivatives } = differentiate(pairs, sums, reference, settings);
    return { loss: share * loss, derivatives: derivatives.map((one) => share * one) };
  };
  return accumulateGradients(engine, model, bothOf(pairs), scaled, dropoutKey);
}

/** What the model has made of pairs. */
export interface PreferenceFigures {
  readonly loss: number;
  /** For every pair: whether the chosen response has the higher reward. */
  readonly isRight: readonly boolean[];
  /** β · log π/π_ref of all responses, with their lengths in tokens. */
  readonly rewards: readonly number[];
  readonly lengths: readonly number[];
}

export async function preferenceFigures(
  engine: Engine,
  model: LanguageModel,
  pairs: readonly TokenPair[],
  reference: Float64Array,
  settings: PreferenceSettings,
): Promise<PreferenceFigures> {
  const sums = await logProbabilities(engine, model, bothOf(pairs));
  const rewards = Array.from(sums, (sum, index) => settings.beta * (sum - reference[index]));
  return {
    loss: differentiate(pairs, sums, reference, settings).loss,
    isRight: pairs.map((_, index) => rewards[2 * index] > rewards[2 * index + 1]),
    rewards,
    lengths: bothOf(pairs).map(({ tokens, from }) => tokens.length - from),
  };
}
