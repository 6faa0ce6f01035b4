import type { Random } from "../foundation/index.ts";

/** How the next token is drawn. */
export interface SamplingOptions {
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  /** Only the smallest set of tokens whose probability reaches this (Holtzman et al. 2020); 1 admits all. */
  readonly topP: number;
  /** Only the k likeliest tokens; 0 admits all. */
  readonly topK: number;
}

/** Draws a token from logits [vocabulary]. Ties are broken by the lower id. */
export function sampleToken(logits: Float32Array, options: SamplingOptions, random: Random): number {
  const best = argmax(logits);
  if (options.temperature === 0) return best;
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let id = 0; id < logits.length; id++) {
    weights[id] = Math.exp((logits[id] - logits[best]) / options.temperature);
    total += weights[id];
  }
  const admitted = likeliest(weights, options.topP * total, options.topK > 0 ? options.topK : logits.length);
  const mass = admitted.reduce((sum, id) => sum + weights[id], 0);
  let remaining = random.uniform() * mass;
  for (const id of admitted) {
    remaining -= weights[id];
    if (remaining < 0) return id;
  }
  return admitted[admitted.length - 1];
}

/** The fewest tokens, likeliest first, whose weights reach `mass`; at most `limit`, at least one. */
function likeliest(weights: Float64Array, mass: number, limit: number): number[] {
  // Most of the mass lies in few tokens: those above a floor are sorted, and the floor sinks only where they do not reach.
  for (let floor = 0.01; ; floor = floor < 1e-12 ? 0 : floor / 100) {
    const candidates: number[] = [];
    for (let id = 0; id < weights.length; id++) if (weights[id] >= floor) candidates.push(id);
    const reaches = floor === 0 || candidates.length >= limit || sumOf(weights, candidates) >= mass;
    if (!reaches) continue;
    candidates.sort((a, b) => weights[b] - weights[a] || a - b);
    let admitted = 0;
    for (let sum = 0; admitted < limit && admitted < candidates.length && (admitted === 0 || sum < mass); admitted++) {
      sum += weights[candidates[admitted]];
    }
    return candidates.slice(0, admitted);
  }
}

function sumOf(weights: Float64Array, ids: readonly number[]): number {
  return ids.reduce((sum, id) => sum + weights[id], 0);
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
