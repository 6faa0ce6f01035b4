/** What to train for a budget: the size and the tokens at which a law's loss is lowest, also when inference or data count. */
import { TilthError } from "../foundation/index.ts";
import { type FittedLaw, lossOf } from "./fit.ts";
import { minimiseBetween } from "./minimise.ts";

type Law = Pick<FittedLaw, "form" | "constants">;

/** A size, its training tokens, and what the law says of them. `loss` in nats a token. */
export interface Allocation {
  readonly parameters: number;
  readonly tokens: number;
  readonly tokensPerParameter: number;
  readonly trainingFlops: number;
  readonly loss: number;
}

/** The lowest loss that C = 6 · parameters · tokens FLOPs of training buy. */
export function optimumForCompute(law: Law, flops: number): Allocation {
  const loss = (logN: number) => lossOf(law, Math.exp(logN), flops / (6 * Math.exp(logN)));
  const parameters = Math.exp(minimiseBetween(Math.log(1e3), Math.log(flops / 6), loss));
  return allocation(law, parameters, flops / (6 * parameters));
}

/**
 * The cheapest way to a loss when the model then reads and writes `inferenceTokens`: the least of 6·N·D + 2·N·inferenceTokens
 * (Sardana & Frankle 2023). Smaller models on more tokens than the optimum for training alone. Throws TilthError for a loss
 * that the law never reaches.
 */
export function optimumForInference(law: Law, targetLoss: number, inferenceTokens: number): Allocation {
  if (lossOf(law, 1e18, 1e21) >= targetLoss) {
    throw new TilthError(`a loss of ${targetLoss} nats a token is below what this law can reach at any size`, {
      remedy: "Ask for a higher loss.",
    });
  }
  const tokensFor = (parameters: number) => tokensForLoss(law, parameters, targetLoss);
  const cost = (logN: number) => {
    const parameters = Math.exp(logN);
    const tokens = tokensFor(parameters);
    return tokens === undefined
      ? Number.POSITIVE_INFINITY
      : Math.log(6 * parameters * tokens + 2 * parameters * inferenceTokens);
  };
  // Below the smallest size that reaches the loss at all the cost is infinite: the search begins just above it.
  let [low, high] = [Math.log(1), Math.log(1e18)];
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (tokensFor(Math.exp(middle)) === undefined) low = middle;
    else high = middle;
  }
  const parameters = Math.exp(minimiseBetween(high + 1e-9, high + Math.log(1e9), cost));
  return allocation(law, parameters, tokensFor(parameters)!);
}

/** Tokens at which a model of that size has that loss; undefined where it never does. */
function tokensForLoss(law: Law, parameters: number, targetLoss: number): number | undefined {
  let [low, high] = [0, Math.log(1e24)];
  if (lossOf(law, parameters, Math.exp(high)) > targetLoss) return undefined;
  while (high - low > 1e-12 * high) {
    const middle = (low + high) / 2;
    if (lossOf(law, parameters, Math.exp(middle)) > targetLoss) low = middle;
    else high = middle;
  }
  return Math.exp(high);
}

// Muennighoff et al. 2023, table of fitted constants: how fast repetitions of data, and parameters beyond what the unique
// tokens support, lose their worth.
const repetitionWorth = 15.387743;
const excessParameterWorth = 5.309743;

/**
 * What `tokens` tokens of training are worth as new tokens when only `uniqueTokens` exist: U + U·R*·(1 − e^(−R/R*)), with R
 * repetitions beyond the first epoch (Muennighoff et al. 2023). Four epochs are worth nearly as much as new data.
 */
export function effectiveTokens(tokens: number, uniqueTokens: number): number {
  return saturate(tokens, uniqueTokens, repetitionWorth);
}

/** The lowest loss for a budget when data repeats (Muennighoff et al. 2023). `loss` is that of repeated data. */
export function optimumForLimitedData(law: Law, flops: number, uniqueTokens: number): Allocation & { epochs: number } {
  const supported = supportedParameters(law, uniqueTokens);
  const loss = (parameters: number) =>
    lossOf(
      law,
      saturate(parameters, supported, excessParameterWorth),
      effectiveTokens(flops / (6 * parameters), uniqueTokens),
    );
  const logN = minimiseBetween(Math.log(1e3), Math.log(flops / 6), (one) => loss(Math.exp(one)));
  const parameters = Math.exp(logN);
  const tokens = flops / (6 * parameters);
  return { ...allocation(law, parameters, tokens), loss: loss(parameters), epochs: Math.max(1, tokens / uniqueTokens) };
}

/** The size for which the unique tokens are compute-optimal. */
function supportedParameters(law: Law, uniqueTokens: number): number {
  let [low, high] = [Math.log(6e6), Math.log(1e40)];
  while (high - low > 1e-9 * high) {
    const middle = (low + high) / 2;
    if (optimumForCompute(law, Math.exp(middle)).tokens < uniqueTokens) low = middle;
    else high = middle;
  }
  return optimumForCompute(law, Math.exp(high)).parameters;
}

function saturate(amount: number, unique: number, worth: number): number {
  if (amount <= unique) return amount;
  return unique + unique * worth * (1 - Math.exp(-(amount / unique - 1) / worth));
}

function allocation(law: Law, parameters: number, tokens: number): Allocation {
  return {
    parameters,
    tokens,
    tokensPerParameter: tokens / parameters,
    trainingFlops: 6 * parameters * tokens,
    loss: lossOf(law, parameters, tokens),
  };
}
