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
  if (options.temperature === 0) return argmax(logits);
  const maximum = logits[argmax(logits)];
  const candidates = Array.from(logits, (logit, id) => ({
    id,
    weight: Math.exp((logit - maximum) / options.temperature),
  }));
  candidates.sort((a, b) => b.weight - a.weight || a.id - b.id);
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  const limit = options.topK > 0 ? options.topK : candidates.length;
  let admitted = 0;
  let mass = 0;
  while (admitted < limit && admitted < candidates.length && mass < options.topP * total)
    mass += candidates[admitted++].weight;
  let remaining = random.uniform() * mass;
  for (let i = 0; i < admitted; i++) {
    remaining -= candidates[i].weight;
    if (remaining < 0) return candidates[i].id;
  }
  return candidates[Math.max(0, admitted - 1)].id;
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
